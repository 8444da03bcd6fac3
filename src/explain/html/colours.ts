/** The colour of each kind of stage, by the name that the style gives it. */
const variables: Readonly<Record<string, string>> = {
  contraction: '--contraction', scan: '--scan', reduction: '--reduction', pointwise: '--pointwise', 'time-reduction': '--time',
};
export const colourOf = (anchor: string): string => `var(${variables[anchor] ?? '--other'})`;
export const anchors: readonly string[] = Object.keys(variables);

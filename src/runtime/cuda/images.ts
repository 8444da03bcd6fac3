/** Which of the compiled kernels a device takes: machine code for its own generation, else PTX that its driver compiles. */

/** As `ssmc compile --arch` made it: sm_80, sm_90a. */
export interface Image<Code> {
  readonly arch: string;
  readonly ptx: Code;
  readonly cubin: Code;
}
interface Architecture {
  readonly capability: number;
  /** a: for this chip alone; f: for its family. */
  readonly suffix: string;
}
function parse(arch: string): Architecture {
  const [, number = '0', suffix = ''] = /^sm_(\d+)([af]?)$/.exec(arch) ?? [];
  return { capability: Number(number), suffix };
}
const generation = (capability: number): number => Math.floor(capability / 10);

/** Machine code runs on later chips of its generation, PTX on all later ones; what is made for one chip or family only there. */
export function fitting<Code>(images: readonly Image<Code>[], capability: number): { readonly arch: string; readonly kind: 'cubin' | 'ptx'; readonly code: Code } | undefined {
  const newestFirst = [...images].sort((a, b) => parse(b.arch).capability - parse(a.arch).capability);
  const near = ({ capability: made, suffix }: Architecture): boolean => (suffix === 'a' ? made === capability : made <= capability && generation(made) === generation(capability));
  const cubin = newestFirst.find(({ arch }) => near(parse(arch)));
  if (cubin) return { arch: cubin.arch, kind: 'cubin', code: cubin.cubin };
  const ptx = newestFirst.find(({ arch }) => (parse(arch).suffix === '' ? parse(arch).capability <= capability : near(parse(arch))));
  return ptx && { arch: ptx.arch, kind: 'ptx', code: ptx.ptx };
}

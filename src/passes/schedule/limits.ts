/** Axes of at most this many members are unrolled: modalities, short convolution kernels. */
export const UNROLL = 8;
/** Steps of a chunk of a chunked scan. Fixed: an answer must not depend on the batch or the length. */
export const CHUNK = 64;
/** Steps of each sequence inside this tile. Names with $ are the runtime's: a spec can't have them. */
export const LENGTHS = '$lengths';

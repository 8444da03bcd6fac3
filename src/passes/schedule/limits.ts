/** Axes of at most this many members are unrolled: modalities, short convolution kernels. */
export const UNROLL = 8;
/** Steps of a chunk of a chunked scan. Fixed: an answer must not depend on the batch or the length. */
export const CHUNK = 64;
/** Components of the state vector that a chunk's summary multiplies, per channel: its matrix has their square. */
export const CHUNK_MATRIX = 8;
/** Steps of each sequence inside this tile. Names with $ are the runtime's: a spec can't have them. */
export const LENGTHS = '$lengths';

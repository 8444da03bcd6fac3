/** Axes of at most this many members are unrolled: modalities, short convolution kernels. */
export const UNROLL = 8;
/** Steps of a chunk of a chunked scan. Fixed: an answer must not depend on the batch or the length. */
export const CHUNK = 64;
/** Rows of a batch that a machine is to be filled with: what is chosen by that must not depend on the batch at hand. */
export const TYPICAL_BATCH = 8;
/** Chunks of a sequence that run side by side, likewise. */
export const TYPICAL_CHUNKS = 8;
/** Components of the state vector that a chunk's summary multiplies, per channel: its matrix has their square. */
export const CHUNK_MATRIX = 8;
/** Steps of each sequence inside this tile. Names with $ are the runtime's: a spec can't have them. */
export const LENGTHS = '$lengths';

/**
 * The numbers of elementary functions in float32, the same on every target. Polynomials were fitted by iteratively reweighted least squares on
 * Chebyshev points for the least largest relative error, and rounded to float32; each says its error before rounding. Lowest power first.
 */
export const LOG2E = 1.4426950408889634;
/** ln 2 in two parts: products of the first with small integers are exact. */
export const LN2_HI = 0.693359375;
export const LN2_LO = -0.00021219444170128554;

/** (2^r − 1)/r on [−1/2, 1/2]; relative error 1.1e-8. */
export const EXP2M1 = [0.6931471824645996, 0.24022649228572845, 0.05550357326865196, 0.009618237614631653, 0.0013390735257416964, 0.00015403507859446108];
/** The same with one term fewer, 4.3e-7: for decays, whose own arguments are no better. */
export const EXP2M1_SHORT = [0.6931471228599548, 0.24022351205348969, 0.05550500378012657, 0.009666245430707932, 0.001333353342488408];
/** 2^r; 7.5e-8. */
export const EXP2_SHORT = [1.0000001192092896, 0.6931469440460205, 0.24022120237350464, 0.05550713464617729, 0.009675540961325169, 0.0013276466634124517];
/** (e^r − 1 − r)/r² on [−ln 2/2, ln 2/2]; 7.5e-9. */
export const EXP_TAIL = [0.5, 0.16666576266288757, 0.04166637361049652, 0.00836323481053114, 0.001394121441990137];
/** (log(1+f) − f + f²/2)/f³ on [√½ − 1, √2 − 1]; 8e-10. */
export const LOG_TAIL = [0.3333331048488617, -0.25000008940696716, 0.2000221610069275, -0.16668187081813812, 0.14217543601989746, -0.12400543689727783, 0.11898887902498245, -0.11713103204965591, 0.06768515706062317];
/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in r², |r| ≤ π/4; 3e-11. */
export const SIN_TAIL = [-0.1666666716337204, 0.008333331905305386, -0.00019840039021801203, 2.724385922192596e-6];
export const COS_TAIL = [0.0416666679084301, -0.00138888880610466, 2.4800561732263304e-5, -2.72958857294725e-7];
/** π/2 in parts of 12 bits: their products with quadrants below 2^12 are exact. */
export const HALF_PI = [1.5703125, 0.0004837512969970703, 7.549533620476723e-8, 2.5632829192545614e-12];
/** log(erfc(z)/t) + z² in t = 1/(1 + z/2); 4.5e-8. */
export const ERFC = [-1.2654414176940918, 0.9984925389289856, 0.3878994286060333, 0.028358561918139458, 0.020191535353660583, -0.11677888035774231, -0.651259183883667, 1.1224092245101929, -0.6660666465759277, 0.14219491183757782];

/** As programs in languages of C's family write it: the shortest that is read as the same number. */
export const digits = (x: number): string => (x !== 0 && Math.abs(x) < 1e-4 ? x.toExponential() : `${x}`);

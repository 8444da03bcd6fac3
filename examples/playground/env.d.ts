/// <reference types="vite/client" />
declare module 'virtual:recordings' {
  /** Where the recordings are: a safetensors file. */
  const url: string;
  export default url;
}

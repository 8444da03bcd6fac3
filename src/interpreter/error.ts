/** What `interpret` throws: the caller's tensors are at fault ('weight', 'input'), or the program is not one that `check` lets through. */
export class InterpretError extends Error {
  override readonly name = 'InterpretError';
  constructor(readonly fault: 'weight' | 'input' | 'program', message: string) {
    super(message);
  }
}

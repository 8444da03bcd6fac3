/** Colours for the editor: words and marks of a spec, line by line. Meaning is the compiler's. */
import { StreamLanguage, type StringStream } from '@codemirror/language';

const statements = /^(model|block|import|from|axis|modalities|input|output|param|state|initial|fact|repeat|as|rename|to|match)\b/;
const functions = /^(sum|mean|max|min|last|softmax|inverse|exp|expm1|log|sqrt|rsqrt|sigmoid|silu|softplus|relu|gelu|tanh|sin|cos|abs|floor|ceil|where|complex|re|im|conj|size|uniform|loguniform|normal|inverse_softplus|eigenvalues|eigenvectors)(?=\()/;

export const ssm = StreamLanguage.define({
  name: 'ssm',
  token(stream: StringStream) {
    if (stream.eatSpace()) return null;
    if (stream.match('///')) { stream.skipToEnd(); return 'docComment'; }
    if (stream.match('//')) { stream.skipToEnd(); return 'lineComment'; }
    if (stream.match(/^"[^"]*"?/)) return 'string';
    if (stream.match(/^\d[\d.]*(e[+-]?\d+)?/)) return 'number';
    // A keyword is one only where a statement can begin; close enough for colours.
    if (stream.match(functions)) return 'variableName.standard';
    if (stream.match(statements)) return 'keyword';
    if (stream.match(/^[A-Z]\w*/)) return 'typeName';
    if (stream.match(/^[a-z_]\w*/i)) return 'variableName';
    stream.next();
    return 'operator';
  },
  languageData: { commentTokens: { line: '//' }, closeBrackets: { brackets: ['(', '[', '{', '"'] } },
});

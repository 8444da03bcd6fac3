/**
 * Makes the extension: `npm run vsix` writes dist/ssmc-VERSION.vsix. A .vsix is a zip of the extension's files, a manifest for the editor's
 * installer, and a list of content types. The same files always make the same bytes.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { zipSync } from 'fflate';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '../..');
/** Zip has no time zones, and begins in 1980. */
const date = new Date(1980, 0, 2);

/** The extension's files by their paths in it, as bytes. */
export async function extensionFiles() {
  const files = new Map();
  const add = (path, from) => files.set(path, readFileSync(from));
  for (const f of ['language-configuration.json', 'kernels-configuration.json', ...readdirSync(join(here, 'syntaxes')).sort().map((g) => `syntaxes/${g}`)]) add(f, join(here, f));
  // What lies beside it in the repository is not in the extension.
  files.set('readme.md', Buffer.from(readFileSync(join(here, 'README.md'), 'utf8').replace(/\[([^\]]+)\]\(\.\.\/[^)]+\)/g, '$1')));
  add('LICENSE.txt', join(root, 'LICENSE'));
  for (const f of readdirSync(join(root, 'grammar/std')).sort()) add(`grammar/std/${f}`, join(root, 'grammar/std', f));
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  files.set('package.json', Buffer.from(`${JSON.stringify({ ...JSON.parse(readFileSync(join(here, 'package.json'), 'utf8')), version }, undefined, 2)}\n`));
  for (const [name, text] of await bundles()) files.set(name, Buffer.from(text));
  return files;
}
/** The client, with the editor's own module left out, the server, and its thread that compiles. */
async function bundles() {
  const common = { bundle: true, platform: 'node', format: 'cjs', target: 'node20', minify: true, legalComments: 'inline', write: false, logLevel: 'error', absWorkingDir: root };
  const client = await build({ ...common, entryPoints: ['grammar/editor/src/extension.ts'], external: ['vscode'] });
  const server = await build({
    ...common, entryPoints: ['grammar/editor/src/server.ts'], define: { 'import.meta.url': '__here' }, banner: { js: 'const __here = require("node:url").pathToFileURL(__filename).href;' },
  });
  const thread = await build({ ...common, format: 'esm', entryPoints: ['src/lsp/compiling-thread.ts'] });
  return [['extension.cjs', client.outputFiles[0].text], ['server.cjs', server.outputFiles[0].text], ['compiling-thread.js', thread.outputFiles[0].text]];
}

export async function vsix() {
  const files = await extensionFiles();
  const manifest = JSON.parse(files.get('package.json').toString());
  const entries = {
    'extension.vsixmanifest': Buffer.from(installerManifest(manifest)), '[Content_Types].xml': Buffer.from(contentTypes([...files.keys()])),
    ...Object.fromEntries([...files].map(([path, bytes]) => [`extension/${path}`, bytes])),
  };
  return { name: `${manifest.name}-${manifest.version}.vsix`, bytes: zipSync(entries, { level: 9, mtime: date }) };
}
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
function installerManifest(m) {
  return `<?xml version="1.0" encoding="utf-8"?>
<PackageManifest Version="2.0.0" xmlns="http://schemas.microsoft.com/developer/vsx-schema/2011">
  <Metadata>
    <Identity Language="en-US" Id="${escaped(m.name)}" Version="${escaped(m.version)}" Publisher="${escaped(m.publisher)}" />
    <DisplayName>${escaped(m.displayName)}</DisplayName>
    <Description xml:space="preserve">${escaped(m.description)}</Description>
    <Tags>${escaped(m.keywords.join(','))}</Tags>
    <Categories>${escaped(m.categories.join(','))}</Categories>
    <Properties>
      <Property Id="Microsoft.VisualStudio.Code.Engine" Value="${escaped(m.engines.vscode)}" />
      <Property Id="Microsoft.VisualStudio.Code.ExtensionKind" Value="workspace" />
    </Properties>
    <License>extension/LICENSE.txt</License>
  </Metadata>
  <Installation>
    <InstallationTarget Id="Microsoft.VisualStudio.Code" />
  </Installation>
  <Dependencies />
  <Assets>
    <Asset Type="Microsoft.VisualStudio.Code.Manifest" Path="extension/package.json" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.Details" Path="extension/readme.md" Addressable="true" />
    <Asset Type="Microsoft.VisualStudio.Services.Content.License" Path="extension/LICENSE.txt" Addressable="true" />
  </Assets>
</PackageManifest>
`;
}
function contentTypes(paths) {
  const types = { json: 'application/json', cjs: 'application/javascript', js: 'application/javascript', md: 'text/markdown', txt: 'text/plain', ssm: 'text/plain', vsixmanifest: 'text/xml' };
  const used = [...new Set([...paths.map((p) => p.slice(p.lastIndexOf('.') + 1)), 'vsixmanifest'])].sort();
  const rows = used.map((e) => `<Default Extension=".${e}" ContentType="${types[e]}" />`).join('');
  return `<?xml version="1.0" encoding="utf-8"?>\n<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">${rows}</Types>\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { name, bytes } = await vsix();
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(join(root, 'dist', name), bytes);
  console.log(`dist/${name}: ${bytes.length} bytes`);
}

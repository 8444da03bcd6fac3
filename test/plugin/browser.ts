/** A folder's pages, served and opened in chromium. */
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { extname, join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';

const browserPath = '/usr/bin/chromium';
const flags = ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--enable-features=Vulkan'];
/** Why pages can't be opened here, if so. */
export const noBrowser: string | undefined = existsSync(browserPath) ? undefined : 'no chromium here';
export const launch = (): Promise<Browser> => chromium.launch({ executablePath: browserPath, headless: true, args: flags });

const types: Readonly<Record<string, string>> = { '.js': 'text/javascript', '.html': 'text/html', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json' };
/** Serves what is found first among the folders. */
export async function serve(folders: readonly string[]): Promise<{ readonly origin: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://host').pathname.replace(/\/$/, '/index.html');
    const found = folders.map((f) => join(f, path)).find((f) => existsSync(f));
    const missing = path === '/favicon.ico' ? 204 : 404;
    response.writeHead(found === undefined ? missing : 200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    response.end(found === undefined ? undefined : readFileSync(found));
  });
  await new Promise<void>((done) => { server.listen(0, '127.0.0.1', done); });
  const address = server.address();
  return { origin: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, server };
}
/** A page, and what it complained of. */
export async function open(browser: Browser, url: string): Promise<{ readonly page: Page; readonly complaints: readonly string[] }> {
  const page = await browser.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (e) => complaints.push(e.message));
  page.on('console', (m) => { if (m.type() === 'error') complaints.push(m.text()); });
  await page.goto(url);
  return { page, complaints };
}

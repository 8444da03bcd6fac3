/** The report's looks: light and dark, wide and narrow, on screen and on paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #fff; --panel: #f6f8fa; --line: #d1d9e0; --accent: #0550ae; --good: #1a7f37; --bad: #b42318; --warn: #8a5a00;
  --add: #dafbe1; --add-strong: #8fe5a3; --del: #ffebe9; --del-strong: #ffb8b0; --contraction: #0969da; --scan: #bc4c00; --reduction: #8250df; --pointwise: #1a7f37; --time: #9a6700; --other: #59636e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa4af; --paper: #0d1117; --panel: #161b22; --line: #3d444d; --accent: #79b8ff; --good: #56d364; --bad: #ff7b72; --warn: #e3b341;
  --add: #12301c; --add-strong: #1f6f38; --del: #3a1618; --del-strong: #8c2f2c; --contraction: #58a6ff; --scan: #f0883e; --reduction: #bc8cff; --pointwise: #56d364; --time: #e3b341; --other: #9aa4af; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 88rem; padding: 1.5rem clamp(.75rem, 3vw, 2.5rem) 4rem; font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); } h3 { font-size: 1rem; margin: 1.25rem 0 .35rem; }
p { max-width: 70ch; margin: .4rem 0; } .soft, figcaption { color: var(--soft); }
a { color: var(--accent); } a:focus-visible, summary:focus-visible, [tabindex]:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; padding: 0; margin: .75rem 0; }
code, pre, .mono { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { margin: 0; white-space: pre-wrap; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .75rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; margin: 1rem 0; padding: 0; list-style: none; }
.cards li { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .55rem .75rem; } .cards b { display: block; font-size: 1.2rem; } .cards span { color: var(--soft); font-size: .85rem; }
.beside { display: grid; grid-template-columns: minmax(18rem, 2fr) minmax(0, 3fr); gap: 1rem; align-items: start; }
.source { position: sticky; top: .75rem; max-height: calc(100vh - 1.5rem); overflow: auto; } .source ol { margin: 0; padding-left: 2.75em; } .source li::marker { color: var(--soft); }
.source li { white-space: pre-wrap; }
details { border: 1px solid var(--line); border-radius: 8px; margin: 0 0 .5rem; background: var(--panel); } summary { cursor: pointer; padding: .45rem .75rem; } details > div { padding: 0 .75rem .75rem; }
summary .soft { font-weight: 400; } .unchanged summary { color: var(--soft); }
.diff { font: 12.5px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; margin: 0; padding: 0; list-style: none; }
.diff li { white-space: pre-wrap; padding-left: 1.6em; text-indent: -1.2em; border-radius: 3px; }
.diff .added { background: var(--add); } .diff .removed { background: var(--del); } .diff .added b { background: var(--add-strong); font-weight: inherit; border-radius: 2px; } .diff .removed b { background: var(--del-strong); font-weight: inherit; border-radius: 2px; }
.diff .gap { color: var(--soft); font-style: italic; }
.scroll { overflow-x: auto; margin: .75rem 0; } table { border-collapse: collapse; font-size: .875rem; min-width: 100%; } th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; overflow-wrap: normal; } td.name { min-width: 14rem; } caption { text-align: left; color: var(--soft); padding-bottom: .35rem; }
figure { margin: .75rem 0; } figcaption { max-width: 80ch; font-size: .9rem; } svg { display: block; max-width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: var(--ink); } svg .soft { fill: var(--soft); } svg .axis { stroke: var(--line); fill: none; } svg .strong { stroke: var(--soft); fill: none; }
.wide svg { max-width: none; } .key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: .4rem 0; padding: 0; font-size: .875rem; } .key i { display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .4em; }
.tag { display: inline-block; border: 1px solid var(--line); border-radius: 999px; padding: 0 .55em; font-size: .8rem; white-space: nowrap; } .good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem 1rem; margin: .4rem 0; } dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 60rem) { .beside { grid-template-columns: minmax(0, 1fr); } .source { position: static; max-height: 24rem; } dl { grid-template-columns: minmax(0, 1fr); gap: 0; } dd { margin-bottom: .5rem; } }
@media print { .source { position: static; max-height: none; } }
`;

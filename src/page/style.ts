/** How the page looks. Colours of light and dark are the same names, so that nothing below them is said twice. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --panel: #ffffff; --line: #e7e6e2; --soft: #f1f0ed; --ink: #1c1c1a; --dim: #6a6963; --accent: #2f5fd0;
  --good: #1d7f4e; --warn: #96620a; --bad: #c22f35;
  --v0: #3f6fdc; --v1: #1a9a8a; --v2: #8b62d6; --v3: #c98719; --v4: #d0609b; --v5: #6f8296; --one: #b9c4d6;
  --sans: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Inter, "Open Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0f1012; --panel: #16171a; --line: #26282d; --soft: #1d1f23; --ink: #e8e8e6; --dim: #92959c; --accent: #8fb0ff;
    --good: #5cc48f; --warn: #e0ad55; --bad: #ff7a7c;
    --v0: #6d94f5; --v1: #3fbfae; --v2: #ab8bf0; --v3: #dfa748; --v4: #e487b6; --v5: #90a2b5; --one: #465066;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 13px/1.5 var(--sans); -webkit-font-smoothing: antialiased; }
a { color: inherit; text-decoration: none; }
a:hover { text-decoration: underline; text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
b { font-weight: 600; }
code, pre, textarea { font: 12px/1.5 var(--mono); }
ul { list-style: none; margin: 0; padding: 0; }
p { margin: 0; }
.dim { color: var(--dim); } .good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); }
.num, time, dd { font-variant-numeric: tabular-nums; }
.hidden, .skip:not(:focus) { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.skip:focus { position: absolute; top: 8px; left: 8px; z-index: 2; padding: 4px 10px; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; }

.bar { display: flex; align-items: baseline; gap: 12px; padding: 12px 24px; background: var(--panel); border-bottom: 1px solid var(--line); }
.mark { font-weight: 650; letter-spacing: -.01em; font-size: 14px; }
.mark:hover { text-decoration: none; }
.what { color: var(--dim); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.live { margin-left: auto; color: var(--dim); font-size: 12px; white-space: nowrap; }
.live:not(:empty)::before { content: ""; display: inline-block; width: 6px; height: 6px; margin-right: 7px; border-radius: 50%; background: var(--good); vertical-align: 1px; }
.live.gone::before { background: var(--bad); }
main { max-width: 1240px; margin: 0 auto; padding: 20px 24px 56px; }

.figures { display: flex; align-items: baseline; justify-content: space-between; gap: 8px 32px; flex-wrap: wrap; margin-bottom: 16px; }
.answer { font-size: 18px; font-weight: 600; letter-spacing: -.012em; }
dl { display: flex; gap: 24px; margin: 0; }
dl div { display: flex; gap: 6px; align-items: baseline; }
dt { color: var(--dim); order: 2; } dd { margin: 0; font-weight: 600; }

.columns { display: grid; grid-template-columns: minmax(0, 1fr) 340px; gap: 16px; align-items: start; }
aside { display: grid; gap: 16px; }
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; min-width: 0; }
h2 { margin: 0; padding: 11px 16px 9px; font-size: 12px; font-weight: 600; color: var(--dim); border-bottom: 1px solid var(--line); }
.empty { padding: 14px 16px; color: var(--dim); }
.panel.empty h1 { margin: 0 0 6px; font-size: 15px; color: var(--ink); }
.panel.empty a, .trail a { color: var(--accent); }

.search { display: flex; gap: 10px; align-items: center; padding: 10px 12px; border-bottom: 1px solid var(--line); }
input:not([type=checkbox]), select, textarea, button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 5px 9px; min-height: 32px; }
input::placeholder, textarea::placeholder { color: var(--dim); opacity: .75; }
input:hover, select:hover, textarea:hover, button:hover { border-color: color-mix(in srgb, var(--dim) 45%, var(--line)); }
.search input[type=search] { flex: 1; min-width: 0; }
.check { display: flex; gap: 6px; align-items: center; color: var(--dim); white-space: nowrap; cursor: pointer; }
.check input { margin: 0; accent-color: var(--accent); }
button { cursor: pointer; font-weight: 500; padding-inline: 14px; background: var(--soft); }

.row { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 6px 20px; padding: 10px 16px; border-bottom: 1px solid var(--line); }
.list .row:last-child { border-bottom: 0; }
.row:hover { background: color-mix(in srgb, var(--soft) 55%, transparent); }
.row > a { display: flex; gap: 10px; align-items: baseline; min-width: 0; }
.name { min-width: 0; overflow-wrap: anywhere; }
.dot { flex: none; width: 7px; height: 7px; border-radius: 50%; background: var(--good); transform: translateY(-1px); }
.partial .dot { background: var(--warn); } .lost .dot { background: var(--bad); }
.row.unknown .dot { background: none; box-shadow: inset 0 0 0 1.5px var(--dim); }
.tag { padding: 0 6px; border: 1px solid var(--line); border-radius: 9px; color: var(--dim); font-size: 11px; white-space: nowrap; }
.ports { display: grid; gap: 8px; min-width: 0; }
.port { display: grid; grid-template-columns: 46px minmax(0, 1fr); gap: 8px; }
.port > .num { font-size: 12px; line-height: 1.35; }
.note { font-size: 12px; }

.share { display: block; border-radius: 3px; background: var(--soft); margin: 5px 0 4px; }
.share rect { transition: x .35s ease, width .35s ease; stroke: var(--panel); stroke-width: 1px; }
.v0 { fill: var(--v0); background: var(--v0); } .v1 { fill: var(--v1); background: var(--v1); } .v2 { fill: var(--v2); background: var(--v2); }
.v3 { fill: var(--v3); background: var(--v3); } .v4 { fill: var(--v4); background: var(--v4); } .v5 { fill: var(--v5); background: var(--v5); }
.one { fill: var(--one); background: var(--one); }
rect.lost, .key.lost { fill: var(--bad); background: var(--bad); } rect.unknown, .key.unknown { fill: var(--line); background: color-mix(in srgb, var(--dim) 40%, var(--line)); }
rect.unknown { fill: color-mix(in srgb, var(--dim) 40%, var(--line)); }
.legend { display: flex; flex-wrap: wrap; gap: 0 16px; font-size: 12px; }
.legend b { font-weight: 550; }
.key { display: inline-block; width: 7px; height: 7px; border-radius: 2px; margin-right: 6px; vertical-align: 1px; }

.pager { display: flex; justify-content: space-between; gap: 12px; padding: 10px 16px; border-top: 1px solid var(--line); }
.pager a { color: var(--accent); }
.notes li { padding: 10px 16px; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
.notes li:last-child { border-bottom: 0; }
.notes li > a, .notes .head { font-weight: 500; }
.notes .head { display: flex; gap: 8px; align-items: baseline; }
.notes .head b { font-weight: 550; min-width: 0; }
.notes time { flex: none; margin-left: auto; white-space: nowrap; font-size: 12px; font-weight: 400; }
.notes p + p { margin-top: 2px; }
aside > .panel > p.dim { padding: 10px 16px; border-top: 1px solid var(--line); }

.trail { color: var(--dim); margin-bottom: 2px; }
h1.host { margin: 0 0 12px; font-size: 18px; font-weight: 600; letter-spacing: -.012em; overflow-wrap: anywhere; }
.views { display: flex; flex-wrap: wrap; gap: 4px; margin-bottom: 14px; }
.views a { padding: 3px 10px; border-radius: 6px; color: var(--dim); }
.views a:hover { background: var(--soft); text-decoration: none; }
.views [aria-current] { background: var(--panel); box-shadow: inset 0 0 0 1px var(--line); color: var(--ink); font-weight: 500; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; }
.scroll + .scroll { border-top: 1px solid var(--line); }
caption { text-align: left; padding: 11px 16px 9px; }
th { text-align: left; font-size: 12px; font-weight: 500; color: var(--dim); padding: 0 16px 6px; }
th:first-child { width: 42%; }
td { padding: 8px 16px; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td .share { margin-top: 6px; }

.ask { display: grid; grid-template-columns: minmax(0, 1fr); gap: 10px; padding: 14px 16px; }
.line { display: flex; gap: 6px; }
.line select { padding-inline: 6px; } .line input { flex: 1; min-width: 0; font-family: var(--mono); font-size: 12px; }
.ask label { display: grid; gap: 4px; color: var(--dim); font-size: 12px; }
.ask textarea { resize: vertical; color: var(--ink); }
.ask button { justify-self: start; }
.verdict { padding: 12px 16px 4px; border-top: 1px solid var(--line); font-size: 18px; font-weight: 600; font-variant-numeric: tabular-nums; }
[data-live=answer] ul.way { padding: 0 16px 14px; color: var(--dim); overflow-wrap: anywhere; }
.way .d2 { padding-left: 12px; } .way .d1 + .d1 { margin-top: 4px; }
[data-live=answer] .legend { padding: 0 16px 14px; }
[data-live=answer] > p.bad:only-child { padding: 0 16px 14px; }

@media (max-width: 900px) {
  .columns { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 600px) {
  .bar { padding: 12px 16px; } main { padding: 16px 12px 40px; }
  .row { grid-template-columns: minmax(0, 1fr); padding: 12px; }
  .ports { padding-left: 17px; }
  .search { flex-wrap: wrap; } .search input[type=search] { flex-basis: 100%; }
  input:not([type=checkbox]), select, textarea { font-size: 16px; }
  .search button { margin-left: auto; }
  th, td, caption { padding-inline: 12px; }
  dl { gap: 16px; }
}
@media (prefers-reduced-motion: reduce) { .share rect { transition: none; } }
`.trimStart()

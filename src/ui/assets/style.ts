/** The style of all pages; what only the pages of the cluster need stands in cluster-style.ts. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: light-dark(#f6f7f9, #11151c);
  --card: light-dark(#ffffff, #181e28);
  --line: light-dark(#dfe3ea, #2a3342);
  --text: light-dark(#1c2330, #e4e9f1);
  --soft: light-dark(#5c6779, #93a0b5);
  --accent: light-dark(#3d5fc4, #8aa8ff);
  --good: light-dark(#1a7f4b, #4ccb8a);
  --bad: light-dark(#b3261e, #ff8a80);
  --warn: light-dark(#8a5a00, #f3bd5a);
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
header, main, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { display: flex; align-items: center; gap: .8rem; padding-top: 1.6rem; padding-bottom: 1.1rem; }
header a { color: inherit; text-decoration: none; display: flex; align-items: center; gap: .7rem; }
header .mark { width: 2.1rem; height: 2.1rem; border-radius: .55rem; background: var(--accent);
  color: var(--back); display: grid; place-items: center; font-size: 1.25rem; }
header b { font-size: 1.2rem; letter-spacing: .01em; }
header nav { margin-left: auto; display: flex; gap: 1rem; }
header nav a, main a { color: var(--accent); text-decoration: none; }
header nav a:hover, main a:hover { text-decoration: underline; }
h1 { font-size: 1.35rem; margin: .6rem 0 1rem; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .7rem;
  padding: 1.1rem 1.25rem; margin: 0 0 1rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: 1rem; margin-bottom: 1rem; }
.grid section { margin: 0; }
.figure { font-size: 1.7rem; font-weight: 650; font-variant-numeric: tabular-nums; }
.soft { color: var(--soft); }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.notice { border-left: 4px solid var(--warn); }
ul { margin: 0; padding-left: 1.1rem; }
pre { margin: .4rem 0 0; padding: .75rem .9rem; overflow-x: auto; border-radius: .5rem;
  background: var(--back); border: 1px solid var(--line);
  font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 550; }
td.number, th.number { text-align: right; }
tr:last-child td { border-bottom: 0; }
footer { color: var(--soft); padding-top: .4rem; padding-bottom: 2rem; font-size: .87rem; }
`;

/** Style of tables in order, of pages that refresh themselves, and of the ring. */
export const CLUSTER_STYLE = `
:root {
  --active0: light-dark(#4a6fd6, #6f93f5);
  --active1: light-dark(#6d8de4, #5478dc);
  --active2: light-dark(#3558b8, #8eacff);
  --readonly: light-dark(#6d7a90, #8391a8);
  --pending: light-dark(#8b6fc9, #a58be6);
  --joining: light-dark(#1d8a8a, #3fb8b5);
  --leaving: light-dark(#b97a10, #e0a53d);
  --unhealthy: light-dark(#c2342b, #f0645a);
  --stripe: light-dark(#ffffff99, #0b0f1699);
}
.wide header, .wide main, .wide footer { max-width: 86rem; }
.live { display: flex; align-items: center; gap: .6rem; margin: 0 0 0 .4rem; color: var(--soft); font-size: .87rem; }
.live[hidden] { display: none; }
.live::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: var(--good); }
.live[data-live-bar="paused"]::before { background: none; border: 2px solid var(--soft); }
.live[data-live-bar="failed"]::before { background: var(--bad); border-radius: 0; }
button, .button { font: inherit; font-size: .87rem; line-height: 1.3; color: var(--text); background: var(--card);
  border: 1px solid var(--line); border-radius: .45rem; padding: .22rem .65rem; cursor: pointer; text-decoration: none;
  display: inline-block; white-space: nowrap; }
main a.button { color: var(--text); }
button:hover, .button:hover { border-color: var(--accent); text-decoration: none; }
.button.danger { background: var(--bad); border-color: var(--bad); color: var(--card); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: .2rem; }
.close { float: right; margin-left: 1rem; }
.figure.small { font-size: 1.15rem; overflow-wrap: anywhere; }
h1 + p.soft { margin: -.7rem 0 1rem; }
h3 { font-size: .93rem; margin: 0 0 .4rem; }
section p { margin: .35rem 0; }
p.soft { font-size: .9rem; }
.notice.bad { border-left-color: var(--bad); color: inherit; }

th a { color: inherit !important; display: inline-block; }
th[aria-sort="ascending"] a::after { content: " ▲" / ""; font-size: .7em; }
th[aria-sort="descending"] a::after { content: " ▼" / ""; font-size: .7em; }
tbody tr[data-instance]:hover td, tr[data-lit] td { background: color-mix(in srgb, var(--accent) 10%, transparent); }
td, th { padding-left: .4rem; padding-right: .4rem; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 14rem; }

.verdict { display: flex; gap: 1rem; align-items: flex-start; border-left: 4px solid var(--good); }
.verdict.warn { border-left-color: var(--warn); } .verdict.bad { border-left-color: var(--bad); color: inherit; }
.verdict.good, .verdict.warn { color: inherit; }
.verdict h2 { font-size: 1.15rem; margin: .12rem 0 .3rem; }
.verdict > div { min-width: 0; overflow-wrap: anywhere; }
.tone, .dot { flex: none; display: inline-grid; place-items: center; width: 1.9rem; height: 1.9rem; border-radius: 50%;
  background: var(--good); color: var(--card); font-weight: 700; }
.dot { width: 1.25rem; height: 1.25rem; font-size: .75rem; }
.warn > .tone, .dot.warn { background: var(--warn); } .bad > .tone, .dot.bad { background: var(--bad); }
.rings { list-style: none; padding: 0; }
.rings li { display: flex; flex-wrap: wrap; align-items: center; gap: .2rem .6rem; padding: .2rem 0; }

.state { display: inline-flex; align-items: center; gap: .45rem; }
.letter { display: inline-grid; place-items: center; width: 1.25rem; height: 1.25rem; border-radius: .3rem;
  font-size: .72rem; line-height: 1; color: var(--card); background: var(--soft); }
.letter.active { background: var(--active0); } .letter.readonly { background: var(--readonly); }
.letter.pending { background: var(--pending); } .letter.joining { background: var(--joining); }
.letter.leaving { background: var(--leaving); } .letter.unhealthy { background: var(--unhealthy); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; margin: 0 0 .8rem; }

.picture { display: grid; grid-template-columns: minmax(0, 30rem) minmax(0, 1fr); gap: 1rem 2rem; align-items: start; }
.picture > .side:only-child { grid-column: 1 / -1; }
.picture h2 { margin-top: 1.2rem; }
svg.ring { display: block; width: 100%; height: auto; max-width: 30rem; margin: 0 auto; }
svg.ring path.shade0 { fill: var(--active0); } svg.ring circle.shade0 { stroke: var(--active0); }
svg.ring path.shade1 { fill: var(--active1); } svg.ring circle.shade1 { stroke: var(--active1); }
svg.ring path.shade2 { fill: var(--active2); } svg.ring circle.shade2 { stroke: var(--active2); }
svg.ring circle.readonly { stroke: var(--readonly); } svg.ring rect.readonly { fill: var(--readonly); }
svg.ring circle.pending { stroke: var(--pending); } svg.ring rect.pending { fill: var(--pending); }
svg.ring circle.joining { stroke: var(--joining); } svg.ring rect.joining { fill: var(--joining); }
svg.ring circle.leaving { stroke: var(--leaving); } svg.ring rect.leaving { fill: var(--leaving); }
svg.ring circle.unhealthy { stroke: var(--unhealthy); } svg.ring rect.unhealthy { fill: var(--unhealthy); }
svg.ring .stripe { fill: var(--stripe); }
svg.ring circle.tokens { fill: none; opacity: .8; }
svg.ring .arc { cursor: default; outline: none; }
svg.ring .arc path { stroke: var(--card); stroke-width: 1.5; }
svg.ring .arc text { fill: #fff; font-size: 14px; font-weight: 650; text-anchor: middle; dominant-baseline: central;
  pointer-events: none; paint-order: stroke; stroke: #0006; stroke-width: 2.5px; }
svg.ring.has-lit .arc:not([data-lit]) path { opacity: .4; }
svg.ring.has-lit circle.tokens:not([data-lit]) { opacity: .12; }
svg.ring circle.tokens[data-lit] { opacity: 1; }
svg.ring .arc:focus-visible path { stroke: var(--text); stroke-width: 3; }
svg.ring .centre text { fill: var(--text); text-anchor: middle; font-size: 14px; }
svg.ring .centre text:first-child { font-size: 24px; font-weight: 650; }
svg.ring .centre text:last-child { fill: var(--soft); font-size: 13px; }
svg.ring.has-lit .centre text:first-child { font-size: 15px; }
svg.ring.has-lit .centre text { font-size: 12px; }
svg.bar { width: 2.6rem; height: .5rem; margin-right: .5rem; vertical-align: .08em; background: var(--line); border-radius: .25rem; }
svg.bar rect { fill: var(--accent); }
.events { list-style: none; padding: 0; max-height: 13rem; overflow-y: auto; font-size: .9rem; }
.events li { padding: .12rem 0; overflow-wrap: anywhere; }
p.tokens { font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }

.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1rem 2.5rem; }
dl { margin: 0 0 .8rem; } dl div { display: grid; grid-template-columns: 6.5rem 1fr; gap: .6rem; padding: .12rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.impact { list-style: none; padding: 0; } .impact li { color: inherit; padding: .2rem 0 .2rem 1.7rem; position: relative; }
.impact li::before { content: "✓"; position: absolute; left: 0; font-weight: 700; color: var(--good); }
.impact li.bad::before { content: "✕"; color: var(--bad); }
.advice { margin-top: .6rem; } .advice + ul { margin-top: .2rem; }

@media (max-width: 60rem) {
  .picture { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 44rem) {
  .detail { display: none; }
  header { flex-wrap: wrap; gap: .4rem .8rem; }
  header nav { margin-left: 0; width: 100%; }
  .live { margin-left: auto; }
  header, main, footer { padding-left: .6rem; padding-right: .6rem; }
  section { padding: .9rem .8rem; }
  svg.bar { display: none; }
}
@media (prefers-reduced-motion: no-preference) {
  svg.ring .arc path, svg.ring circle.tokens { transition: opacity .12s; }
}
`;

/**
 * The script of the ring pages: whoever points at an instance, or comes to it with the keyboard, in the drawing or in the
 * table, sees it lit in both, with what is known of it in the middle of the ring. Arrow keys go round the ring.
 */
export const RING_SCRIPT = `
"use strict";
(() => {
  let lit;

  const instanceOf = (target) => target instanceof Element ? target.closest("[data-instance]") : null;
  const arcs = () => [...document.querySelectorAll("svg.ring .arc")];

  const shortened = (text) => (text.length <= 28 ? text : text.slice(0, 13) + "…" + text.slice(-14));

  function light() {
    const ring = document.querySelector("svg.ring");
    if (ring === null) return;
    for (const element of document.querySelectorAll("[data-lit]")) element.removeAttribute("data-lit");
    const arc = arcs().find((candidate) => candidate.dataset.instance === lit);
    ring.classList.toggle("has-lit", arc !== undefined);
    const said = arc?.querySelector("title").textContent.split("\\n");
    for (const [index, line] of [...ring.querySelectorAll(".centre text")].entries()) {
      line.textContent = said === undefined ? line.dataset.text : shortened(said[index] ?? "");
    }
    if (lit === undefined) return;
    for (const element of document.querySelectorAll("[data-instance]")) {
      if (element.dataset.instance === lit) element.dataset.lit = "";
    }
  }

  function point(event) {
    const instance = instanceOf(event.target)?.dataset.instance;
    if (instance === lit) return;
    lit = instance;
    light();
  }

  document.addEventListener("pointerover", point);
  document.addEventListener("focusin", point);
  document.addEventListener("muninn:refreshed", light);
  document.addEventListener("keydown", (event) => {
    const all = arcs();
    const at = all.indexOf(event.target);
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (at < 0 || step === undefined) return;
    event.preventDefault();
    all[(at + step + all.length) % all.length].focus();
  });
})();
`;

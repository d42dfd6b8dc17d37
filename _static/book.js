// A formula within a sentence cannot be broken: one that is wider than the column gets a line of its own, and scrolls.
const breathe = () => {
  for (const formula of document.querySelectorAll(".bd-article mjx-container:not([display])")) {
    const column = formula.closest("p, li, dd, dt, figcaption, h1, h2, h3");
    if (!column) continue;
    const wide = formula.firstElementChild.getBoundingClientRect().width > column.clientWidth + 1;
    formula.classList.toggle("wide", wide);
    if (wide) formula.tabIndex = 0; else formula.removeAttribute("tabindex");
  }
};
// A line may break on either side of a formula, even before a comma: such marks are kept beside it.
const join = () => {
  for (const formula of document.querySelectorAll(".bd-article span.math")) {
    const after = formula.nextSibling?.data?.match(/^[.,;:?!)\]’”]+/), before = formula.previousSibling?.data?.match(/[([“]+$/);
    if (!after && !before) continue;
    const joint = document.createElement("span");
    joint.className = "joint";
    if (after) formula.nextSibling.splitText(after[0].length);
    const marks = [before && formula.previousSibling.splitText(before.index), formula, after && formula.nextSibling];
    formula.replaceWith(joint);
    joint.append(...marks.filter(Boolean));
  }
};
window.addEventListener("load", async () => {
  if (!window.MathJax?.startup) return;
  await MathJax.startup.promise;
  join();
  breathe();
  window.addEventListener("resize", breathe);
  document.addEventListener("toggle", breathe, true); // folded formulas have no width
});

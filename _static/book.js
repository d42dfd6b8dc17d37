// This runs before the page is drawn. The fonts of the formulas stand in the style sheet: unpacked now, they are there for the
// first lines. And the theme's colours, with the borders drawn in them, would otherwise wait for its script at the end.
document.fonts.forEach((font) => font.family.includes("KaTeX") && font.load());
if (document.documentElement.dataset.theme === "auto")
  document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";

// A box that scrolls sideways can be reached by keyboard, says what it is, and shows by a fade where more stands.
const scrolling = ".bd-article :is(.formula, .math.wide, table)";
const watchEdges = (box) => {
  box.classList.toggle("more-before", box.scrollLeft > 1);
  box.classList.toggle("more-after", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
};
const findScrolling = () => {
  const boxes = [...document.querySelectorAll(scrolling)];
  const scrolls = boxes.map((box) => box.scrollWidth > box.clientWidth + 1); // all are measured before one is changed
  boxes.forEach((box, i) => {
    if (scrolls[i]) {
      box.tabIndex = 0;
      if (!box.matches("table")) {
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Formula that scrolls sideways");
      }
      box.onscroll ??= () => watchEdges(box);
      watchEdges(box);
    } else if (box.hasAttribute("tabindex")) {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
      box.classList.remove("more-before", "more-after");
    }
  });
};
window.addEventListener("load", findScrolling);
window.addEventListener("resize", findScrolling);
document.addEventListener("toggle", findScrolling, true); // what is folded has no width

// What is copied has each formula as its TeX; one that is touched by the selection is copied whole.
document.addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed || !event.clipboardData) return;
  const range = selection.getRangeAt(0).cloneRange();
  const formula = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(".katex");
  const [first, last] = [formula(range.startContainer), formula(range.endContainer)];
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copy = document.createElement("div");
  copy.append(range.cloneContents());
  const formulas = [...copy.querySelectorAll(".katex")];
  if (!formulas.length) return;
  event.clipboardData.setData("text/html", copy.innerHTML);
  for (const each of formulas) {
    const tex = each.querySelector("annotation").textContent;
    each.replaceWith(each.querySelector("math[display=block]") ? `$$${tex}$$` : `$${tex}$`);
  }
  event.clipboardData.setData("text/plain", copy.textContent);
  event.preventDefault();
});

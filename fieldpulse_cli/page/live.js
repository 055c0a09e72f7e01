"use strict";
// Replace the sections that have changed; an opened table stays open, and the focus stays where it was.
const keep = (element) => [...element.querySelectorAll("details")].map((each) => each.open);
const warn = (reason) => { document.querySelector("h1").textContent = `FieldPulse: runs (not up to date: ${reason})`; };
async function refresh() {
  const response = await fetch("/", {cache: "no-store"});
  if (!response.ok) return warn((await response.text()).trim());
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const selector of ["header", "main", "footer"]) {
    const [before, after] = [document, fresh].map((each) => each.querySelector(selector));
    const [old, sections] = [before, after].map((each) => [...each.children]);
    if (old.length !== sections.length) {
      before.replaceChildren(...sections);
      continue;
    }
    sections.forEach((section, number) => {
      const opened = keep(old[number]);
      section.querySelectorAll("details").forEach((each, index) => { each.open = opened[index] ?? false; });
      if (old[number].outerHTML === section.outerHTML || old[number].contains(document.activeElement)) return;
      old[number].replaceWith(section);
    });
  }
}
const events = new EventSource("/events");
events.addEventListener("changed", refresh);
events.addEventListener("error", () => warn("the server does not answer"));
events.addEventListener("open", refresh);

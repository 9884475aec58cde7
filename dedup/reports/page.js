"use strict";
// Filter and sort the sets of the page; without this script all of them are shown as found.
(() => {
  const field = (id) => document.getElementById(id);
  const main = field("sets");
  const sets = [...main.children].map((node) => ({
    node,
    number: Number(node.dataset.number),
    freed: Number(node.dataset.freed),
    similarity: Number(node.dataset.similarity),
    tier: node.dataset.tier,
    folders: node.dataset.folders,
    text: "",
  }));
  const orders = {
    number: (one, two) => one.number - two.number,
    freed: (one, two) => two.freed - one.freed || one.number - two.number,
    similarity: (one, two) => one.similarity - two.similarity || one.number - two.number,
  };
  const fits = (one, text) => {
    if (text && !one.text) one.text = one.node.textContent.toLowerCase();
    return (
      (!text || one.text.includes(text)) &&
      (!field("tier").value || one.tier === field("tier").value) &&
      (!field("folder").value || one.folders.includes(` ${field("folder").value} `)) &&
      (!field("marked").checked || one.freed > 0)
    );
  };
  const bytes = (count) => {
    const units = ["bytes", "kB", "MB", "GB", "TB"];
    let place = 0;
    while (count >= 999.5 && place < 4) { count /= 1000; place += 1; }
    return `${count.toFixed(place && count < 99.95 ? 1 : 0)} ${units[place]}`;
  };
  const show = () => {
    const text = field("text").value.trim().toLowerCase();
    let shown = 0, freed = 0;
    for (const one of sets) {
      one.node.hidden = !fits(one, text);
      if (!one.node.hidden) { shown += 1; freed += one.freed; }
    }
    field("count").textContent = `${shown.toLocaleString("en")} of ${sets.length.toLocaleString("en")} sets, ${bytes(freed)} to free`;
    field("none").hidden = shown > 0;
  };
  const sort = () => {
    sets.sort(orders[field("order").value]);
    main.append(...sets.map((one) => one.node));
  };
  for (const id of ["text", "tier", "folder", "marked"]) field(id).addEventListener("input", show);
  field("order").addEventListener("input", sort);
  document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  show();
})();

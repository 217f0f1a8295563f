// Search, filters and order over search.json, which is fetched when they are first used; and the buttons that copy an id.
// Without this script the pages have every model, without search. Texts of strangers only ever become text.
"use strict";

const ROOT = document.body.dataset.root;
const AT_FIRST = 24, AT_ONCE = 48; // cards: of a search's result, and of each part that follows
const VERDICTS = {p: ["pass", "✓", "pass"], f: ["fail", "✗", "fail"], u: ["unknown", "?", "not known"]};
const COLUMNS = ["id", "page", "short", "domains", "tags", "menu", "licence", "status", "mark", "built_in", "hosts", "likes", "rate", "date"];

/** Put a text into the clipboard, and say so on the button for a moment. */
async function copy(button) {
  const code = button.parentElement.querySelector("code");
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Selected: copy it";
  }
  setTimeout(() => { button.textContent = "Copy id"; }, 2000);
}

function showCopyButtons() {
  for (const button of document.querySelectorAll(".copy-id")) button.hidden = false;
}

document.addEventListener("click", event => {
  const button = event.target.closest?.(".copy-id");
  if (button) copy(button);
});
showCopyButtons();

/** The models of search.json as objects, with what a search looks at, in the order of the pages. */
async function load() {
  const answer = await fetch(`${ROOT}search.json`);
  if (!answer.ok) throw new Error(`search.json: ${answer.status}`);
  const {hosts, lists, rows} = await answer.json();
  const models = rows.map((row, number) => {
    const model = {number};
    COLUMNS.forEach((name, column) => { model[name] = row[column]; });
    for (const name of ["domains", "tags"]) model[name] = model[name].map(index => lists[name][index]);
    for (const name of ["menu", "licence", "status", "mark", "built_in"]) model[name] = lists[name][model[name]];
    if (model.page === "") model.page = `models/${model.id}/`;
    model.name = model.id.slice(model.id.indexOf("/") + 1);
    model.text = [model.id, model.short, ...model.domains, ...model.tags].join("\n").toLowerCase();
    return model;
  });
  return {hosts, models, orders: {"": models}};
}

const ORDERS = {
  likes: (a, b) => b.likes - a.likes || a.number - b.number,
  date: (a, b) => (a.date < b.date) - (a.date > b.date) || a.number - b.number,
  name: (a, b) => (a.lower > b.lower) - (a.lower < b.lower) || a.number - b.number,
};

function ordered(catalogue, order) {
  if (!catalogue.orders[order]) {
    for (const model of catalogue.models) model.lower ??= model.name.toLowerCase();
    catalogue.orders[order] = [...catalogue.models].sort(ORDERS[order]);
  }
  return catalogue.orders[order];
}

/** The models that match what was asked for: every word in the text, and every filter. */
function matching(catalogue, asked) {
  const words = asked.q.toLowerCase().split(/\s+/).filter(Boolean);
  const filters = Object.entries(asked).filter(([name, value]) => value && name !== "q" && name !== "sort");
  return ordered(catalogue, asked.sort in ORDERS ? asked.sort : "").filter(model =>
    words.every(word => model.text.includes(word)) &&
    filters.every(([name, value]) => name === "domains" ? model.domains.includes(value) : String(model[name]) === value));
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A card, as templates/cards.html has it. */
function card(model, hosts) {
  const made = element("li", "card");
  const link = element("a", "", model.name);
  const path = model.page === null ? model.id : model.page;
  link.href = (model.page === null ? "https://huggingface.co/" : ROOT) + path.split("/").map(encodeURIComponent).join("/");
  const title = element("h2");
  title.append(link);
  const by = element("p", "by", "by ");
  by.append(element("span", "author", model.id.slice(0, model.id.indexOf("/"))));
  if (model.built_in) by.append(" ", element("span", `tag ${model.built_in}`, model.built_in === "listed" ? "built-in" : `built-in, ${model.built_in}`));
  const chips = element("p", "chips");
  chips.append(...model.domains.map(one => element("span", "chip domain", one)), ...model.tags.map(one => element("span", "chip", one)));
  const verdicts = element("ul", "verdicts");
  hosts.forEach((host, number) => {
    const [kind, sign, word] = VERDICTS[model.hosts[number]];
    const line = element("li", kind);
    const shown = element("span", "sign", sign);
    shown.ariaHidden = "true";
    line.append(element("span", "host", host), " ", shown, " ", element("span", "word", word));
    verdicts.append(line);
  });
  const about = element("p", "about");
  if (model.menu) about.append(element("span", "menu", model.menu));
  if (model.rate) about.append(element("span", "rate", `${model.rate.toLocaleString("en")} Hz`));
  if (model.licence) about.append(element("span", "licence", model.licence));
  const likes = element("span", "likes", ` ${model.likes.toLocaleString("en")}`);
  const heart = element("span", "", "♥");
  heart.ariaHidden = "true";
  likes.prepend(heart);
  likes.append(element("span", "hidden", " likes"));
  about.append(likes);
  if (model.date) about.append(element("time", "date", model.date));
  const id = element("p", "id");
  const button = element("button", "copy-id", "Copy id");
  button.type = "button";
  id.append(element("code", "", model.id), button);
  made.append(title, by, element("p", "short", model.short), chips, verdicts, about, id);
  return made;
}

function search(form) {
  const cards = document.getElementById("cards"), found = document.getElementById("found");
  const more = document.getElementById("more"), pages = document.getElementById("pages");
  const first = {cards: [...cards.children], found: found.textContent};
  let loading = null, shown = [], hosts = [];

  function asked() {
    return Object.fromEntries(new FormData(form));
  }

  function extend(count) {
    const start = cards.childElementCount;
    cards.append(...shown.slice(start, start + count).map(model => card(model, hosts)));
    more.hidden = cards.childElementCount >= shown.length;
  }

  async function show() {
    const wanted = Object.entries(asked()).filter(([, value]) => value);
    history.replaceState(null, "", wanted.length ? `?${new URLSearchParams(wanted)}` : location.pathname);
    if (pages) pages.hidden = wanted.length > 0;
    if (!wanted.length) {
      cards.replaceChildren(...first.cards);
      found.textContent = first.found;
      more.hidden = true;
      return;
    }
    let catalogue;
    try {
      catalogue = await (loading ??= load());
    } catch {
      loading = null;
      found.textContent = "The list of models could not be loaded. Try again.";
      return;
    }
    hosts = catalogue.hosts;
    shown = matching(catalogue, asked());
    cards.replaceChildren();
    extend(AT_FIRST);
    const count = catalogue.models.length.toLocaleString("en");
    found.textContent = `${shown.length.toLocaleString("en")} of ${count} models.`;
  }

  form.addEventListener("focusin", () => { loading ??= load(); loading.catch(() => { loading = null; }); }, {once: true});
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));
  more.addEventListener("click", () => {
    const next = cards.childElementCount;
    extend(AT_ONCE);
    cards.children[next]?.querySelector("a").focus();
  });
  for (const [name, value] of new URLSearchParams(location.search)) {
    if (form.elements[name]) form.elements[name].value = value;
  }
  form.hidden = false;
  if (location.search) show();
}

const form = document.getElementById("search");
if (form) search(form);

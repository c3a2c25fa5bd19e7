const PAUSE = 150;

/** Suggests names of add-ons while somebody types into a field for search. */
export function suggest() {
  for (const input of document.querySelectorAll("input[data-suggest]")) {
    const list = document.createElement("datalist");
    list.id = `${input.id}-names`;
    input.after(list);
    input.setAttribute("list", list.id);
    follow(input, list);
  }
}

function follow(input, list) {
  let waiting;
  let asking;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    asking?.abort();
    const words = input.value.trim();
    if (words.length < 2) return list.replaceChildren();
    waiting = setTimeout(async () => {
      asking = new AbortController();
      const names = await namesFor(input.dataset.suggest, words, asking.signal);
      if (names) list.replaceChildren(...names.map((name) => new Option("", name)));
    }, PAUSE);
  });
}

/** Returns nothing when the answer is not wanted any more, or there is none: suggestions are a nicety. */
async function namesFor(address, words, signal) {
  try {
    const answer = await fetch(`${address}&page_size=6&q=${encodeURIComponent(words)}`, { signal });
    return answer.ok ? (await answer.json()).results.map(({ name }) => name) : undefined;
  } catch {
    return undefined;
  }
}

// The page of messages: a field that leaves the rows with most of the words in it: names and numbers of a pasted
// message are `…` there.
document.addEventListener("DOMContentLoaded", () => {
  const first = document.querySelector("article table");
  if (!first || !/reference\/errors\.html$/.test(location.pathname)) return;
  const field = document.createElement("input");
  field.type = "search";
  field.className = "messages-filter";
  field.placeholder = "Part of your message";
  field.setAttribute("aria-label", field.placeholder);
  (document.querySelector("article h2") || first).before(field);
  const rows = [...document.querySelectorAll("article tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);
  const shown = (element) => [...element.querySelectorAll("tbody tr")].some((row) => !row.hidden);
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const [row, text] of rows) row.hidden = words.filter((word) => text.includes(word)).length < words.length * 0.6;
    // Headings of groups without a row left go with them.
    for (const heading of document.querySelectorAll("article h2, article h3")) {
      let next = heading.nextElementSibling;
      const parts = [];
      while (next && !/^H[123]$/.test(next.tagName)) {
        parts.push(next);
        next = next.nextElementSibling;
      }
      const gone = words.length > 0 && !parts.some(shown);
      for (const part of [heading, ...parts]) part.hidden = gone;
    }
  });
});

/** Updates everything that the page shows. Names and SKUs come from the shop, and are inserted only as text. */

const byId = (id) => document.getElementById(id);
const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`);

/** Sets the state for styles and tests: loading, ready, busy, done, problem, or refused without a usable model. */
export function setState(state) {
  document.documentElement.dataset.state = state;
  // Otherwise, screen readers would read every percentage during loading.
  byId("result").setAttribute("aria-busy", String(state === "loading"));
}

export function setBackend(backend) {
  document.documentElement.dataset.backend = backend;
}

export function showStatus(text) {
  byId("status").textContent = text;
}

export function showProblem(sentence) {
  byId("problem").textContent = sentence ?? "";
  byId("problem").hidden = !sentence;
}

export function showFacts({ version, counts, accuracy }) {
  const share = (value) => (Number.isFinite(value) ? percent(value) : undefined);
  const facts = [
    ["Products", counts?.products],
    ["Photos", counts?.photos],
    ["Right at once", share(accuracy?.top1)],
    ["In the top three", share(accuracy?.top3)],
    ["Model", version],
  ].filter(([, value]) => value !== undefined && value !== null);
  byId("facts").replaceChildren(
    ...facts.map(([label, value]) => {
      const fact = element("div", "fact");
      fact.append(element("dt", "", label), element("dd", "", String(value)));
      return fact;
    }),
  );
  byId("facts").hidden = false;
}

export function showPhoto(url) {
  const photo = byId("photo");
  if (photo.src.startsWith("blob:")) URL.revokeObjectURL(photo.src);
  photo.src = url ?? "";
  photo.hidden = !url;
  byId("invitation").hidden = Boolean(url);
  if (!url) photo.removeAttribute("src");
}

export function showAnswers(top) {
  byId("answers").replaceChildren(...top.map(answerItem));
}

export function showVerdict(text, kind) {
  byId("verdict").textContent = text ?? "";
  byId("verdict").dataset.kind = kind ?? "";
  byId("verdict").hidden = !text;
}

export function showSamples(samples, onPick) {
  byId("samples").hidden = samples.length === 0;
  byId("sample-grid").replaceChildren(
    ...samples.map((sample, index) => {
      const image = element("img");
      image.src = sample.url;
      image.alt = "";
      image.loading = "lazy";
      const button = element("button", "sample");
      button.type = "button";
      button.setAttribute("aria-label", `Sample photo ${index + 1}`);
      button.append(image, element("span", "mark"));
      button.addEventListener("click", () => onPick(sample, index));
      const item = element("li");
      item.append(button);
      return item;
    }),
  );
}

export function markSample(index, isRight) {
  const button = byId("sample-grid").children[index].firstChild;
  button.dataset.answer = isRight ? "right" : "wrong";
  button.setAttribute("aria-label", `Sample photo ${index + 1}, recognised ${isRight ? "rightly" : "wrongly"}`);
}

export function markCurrentSample(index) {
  [...byId("sample-grid").children].forEach((item, at) => {
    if (at === index) item.firstChild.setAttribute("aria-current", "true");
    else item.firstChild.removeAttribute("aria-current");
  });
}

export function showScore(right, tried) {
  byId("score").textContent = tried ? `${right} of ${tried} right` : "";
}

function answerItem({ name, sku, probability }) {
  const item = element("li", "answer");
  item.dataset.sku = sku;
  item.dataset.probability = probability;
  const bar = element("div", "bar");
  bar.setAttribute("aria-hidden", "true");
  const fill = element("div", "fill");
  fill.style.inlineSize = `${probability * 100}%`;
  bar.append(fill);
  const line = element("p", "line");
  line.append(element("span", "name", name), element("span", "share", percent(probability)));
  item.append(line, bar, element("p", "sku", sku));
  return item;
}

function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

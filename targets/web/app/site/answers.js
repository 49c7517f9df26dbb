/** How answers are shown. What a model says is set as text, never as markup. */

const shown = document.getElementById("shown"), canvas = document.getElementById("canvas");
const COLOURS = ["#e6194b", "#3cb44b", "#4363d8", "#f58231", "#911eb4", "#008080", "#9a6324", "#808000", "#e6beff", "#46f0f0"];

/** An element with a text, or with others in it. */
export function element(name, content, kind) {
    const made = document.createElement(name);
    Array.isArray(content) ? made.append(...content) : (made.textContent = content);
    kind && (made.className = kind);
    return made;
}

export const show = (...elements) => shown.replaceChildren(...elements);
export const percent = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

export function text(said, pending = "") {
    show(element("p", [said, element("span", pending && ` ${pending}`, "pending")]));
}

/** Labels with bars, as long as their share. */
export function bars(ranked, name = percent) {
    const rows = ranked.map(({ label, score }) => {
        const row = element("li", [element("span", label), element("span", name(score))]);
        row.style.setProperty("--part", `${100 * Math.max(0, Math.min(1, score))}%`);
        return row;
    });
    show(element("ol", rows, "bars"));
}

/** Rows of a time, or another short word, and a text. */
export function rows(pairs, empty) {
    const items = pairs.map(([short, long]) => element("li", [element("span", short), element("span", long)]));
    show(items.length ? element("ul", items, "rows") : element("p", empty));
}

export const seconds = (start, end) => `${start.toFixed(2)}${end === undefined ? "" : ` to ${end.toFixed(2)}`} s`;

/** An empty sheet of a size, neither tiny nor larger than a screen; gives what draws upon it in its own pixels. */
function sheet({ width, height }) {
    const longest = Math.max(width, height), share = Math.min(1280, Math.max(480, longest)) / longest, context = canvas.getContext("2d");
    [canvas.width, canvas.height] = [width, height].map((size) => Math.max(1, Math.round(size * share)));
    canvas.hidden = false;
    context.scale(share, share);
    context.lineWidth = Math.max(2, canvas.width / 250) / share;
    context.font = `${Math.max(14, canvas.width / 40) / share}px system-ui, sans-serif`;
    context.textBaseline = "top";
    return context;
}

export function draw(picture) {
    const context = sheet(picture);
    context.drawImage(picture, 0, 0);
    return context;
}

const colour = (label, labels) => COLOURS[Math.max(0, labels.indexOf(label)) % COLOURS.length];

export function boxes(things, picture) {
    const context = draw(picture), labels = [...new Set(things.map(({ label }) => label))];
    for (const { label, score, sides, points } of things) {
        const [left, top, right, bottom] = sides, said = `${label} ${percent(score)}`;
        context.strokeStyle = context.fillStyle = colour(label, labels);
        context.strokeRect(left, top, right - left, bottom - top);
        dots(context, points);
        const high = parseFloat(context.font) * 1.3, place = Math.max(0, top - high);
        context.fillRect(left, place, context.measureText(said).width + high / 2, high);
        context.fillStyle = "#fff";
        context.fillText(said, left + high / 4, place + high / 8);
    }
    rows(things.map(({ label, score }) => [percent(score), label]), "Nothing was found.");
}

export function keypoints(things, picture, { links }) {
    const context = draw(picture);
    for (const [place, { points }] of things.entries()) {
        context.strokeStyle = context.fillStyle = COLOURS[place % COLOURS.length];
        for (const [from, to] of links) {
            line(context, [from, to].map((point) => [points[2 * point], points[2 * point + 1]]));
        }
        dots(context, points);
    }
    rows(things.map(({ label, score }) => [percent(score), label]), "Nothing was found.");
}

export function lines(read, picture) {
    const context = draw(picture);
    context.strokeStyle = COLOURS[2];
    read.forEach(({ corners }) => line(context, [...corners, corners[0]]));
    rows(read.map((one) => [percent(one.score), one.text]), "No text was found.");
}

/** Tints every class but the first, which is mostly the background. */
export function areas({ classes, height, width, labels, shares }, picture) {
    const context = draw(picture), tint = new ImageData(width, height), inks = labels.map((label) => channels(colour(label, labels)));
    classes.forEach((kind, i) => kind && tint.data.set([...inks[kind], 128], 4 * i));
    const layer = new OffscreenCanvas(width, height);
    layer.getContext("2d").putImageData(tint, 0, 0);
    context.drawImage(layer, 0, 0, picture.width, picture.height);
    const ranked = labels.map((label, i) => ({ label, score: shares[i] })).filter(({ score }) => score >= 0.005);
    bars(ranked.sort((one, other) => other.score - one.score));
}

/** The last values of a series, and the quantiles of its next steps around their median. */
export function curve({ quantiles, median }, series) {
    const past = series.slice(-4 * median.length), all = [...past, ...quantiles.flat()].filter(Number.isFinite);
    const context = sheet({ width: 960, height: 320 }), least = Math.min(...all), range = Math.max(...all) - least || 1;
    const at = (i, value) => [((i + 0.5) * 960) / (past.length + median.length), 310 - (300 * (value - least)) / range];
    const ahead = (values) => values.map((value, i) => at(past.length + i, value));
    context.fillStyle = context.strokeStyle = COLOURS[2];
    context.globalAlpha = 0.25;
    line(context, [...ahead(quantiles.map((row) => row[0])), ...ahead(quantiles.map((row) => row.at(-1))).reverse()]);
    context.fill();
    context.globalAlpha = 1;
    line(context, ahead(median));
    context.strokeStyle = "#888";
    line(context, past.map((value, i) => at(i, value)));
    rows(median.map((value, i) => [`step ${i + 1}`, value.toPrecision(5)]));
}

/** Notes as on a roll: time to the right, pitch upwards. */
export function notes(played) {
    const end = Math.max(1, ...played.map((note) => note.end)), context = sheet({ width: 960, height: 352 });
    context.fillStyle = COLOURS[2];
    for (const { start, end: stop, pitch } of played) {
        context.fillRect((960 * start) / end, 4 * (108 - pitch), Math.max(2, (960 * (stop - start)) / end), 4);
    }
    rows(played.map(({ start, end: stop, pitch }) => [seconds(start, stop), `pitch ${pitch}`]), "No notes were heard.");
}

const channels = (colour) => [1, 3, 5].map((place) => parseInt(colour.slice(place, place + 2), 16));

function line(context, points) {
    context.beginPath();
    points.forEach(([x, y]) => context.lineTo(x, y));
    context.stroke();
}

function dots(context, points) {
    for (let i = 0; i + 1 < points.length; i += 2) {
        context.beginPath();
        context.arc(points[i], points[i + 1], 1.5 * context.lineWidth, 0, 2 * Math.PI);
        context.fill();
    }
}

// A click on a picture enlarges it, with its settings and the command that draws it again.
const dialog = document.querySelector("dialog");
document.addEventListener("click", event => {
  const image = event.target.closest("figure > div > img");
  if (!image) { if (event.target === dialog) dialog.close(); return; }
  const address = new URL(image.src), file = decodeURIComponent(address.pathname);
  const path = address.protocol === "file:" ? file : image.getAttribute("src");
  dialog.querySelector("img").src = image.src;
  dialog.querySelector("p").textContent = `${image.alt} · ${image.closest("figure").querySelector("figcaption").textContent}`;
  dialog.querySelector("code").textContent = `sdg again '${path.replaceAll("'", "'\\''")}'`;
  dialog.showModal();
});

// Charts are drawn when they are first seen, by the library beside this page.
const COLOURS = ["#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2", "#9d755d", "#bab0ac"];
const library = () => window.Bokeh ? Promise.resolve() : window.loading ??= new Promise((done, failed) => {
  const script = document.createElement("script");
  script.src = "charts.js"; script.onload = done; script.onerror = failed;
  document.head.append(script);
});
const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--ink").trim();

function frame(chart) {
  const plain = {background_fill_color: null, border_fill_color: null, outline_line_color: null};
  const figure = Bokeh.Plotting.figure({
    ...plain, width: 440, height: 260, title: chart.title ?? null, x_axis_label: chart.x, y_axis_label: chart.y,
    tools: "pan,wheel_zoom,reset,save",
  });
  for (const axis of [...figure.xaxes, ...figure.yaxes]) {
    axis.axis_label_text_color = axis.major_label_text_color = axis.axis_line_color = ink();
  }
  for (const grid of [...figure.xgrids, ...figure.ygrids]) grid.grid_line_color = "#8885";
  if (figure.title) figure.title.text_color = ink();
  return figure;
}

function legend(figure) {
  for (const one of figure.legends ?? [figure.legend]) {
    Object.assign(one, {background_fill_color: null, label_text_color: ink(), border_line_color: null});
    Object.assign(one, {click_policy: "hide", label_text_font_size: "10px", spacing: 0, padding: 2});
  }
}

function draw(box, chart) {
  const figure = frame(chart);
  chart.lines.forEach((line, i) => figure.line(line.x, line.y, {
    line_color: COLOURS[i % COLOURS.length], line_width: 2, legend_label: line.name,
  }));
  for (const dots of chart.dots ?? []) {
    const source = new Bokeh.ColumnDataSource({data: {x: dots.x, y: dots.y, text: dots.text}});
    const marks = figure.scatter({field: "x"}, {field: "y"}, {
      source, size: 10, fill_color: dots.colour, line_color: ink(), legend_label: dots.name,
    });
    figure.add_tools(new Bokeh.HoverTool({renderers: [marks], tooltips: "@text"}));
  }
  if (chart.lines.length || chart.dots) legend(figure);
  Bokeh.Plotting.show(figure, box);
}

async function show(box) {
  if (box.dataset.drawn) return;
  box.dataset.drawn = "yes";
  try { await library(); } catch {
    box.textContent = "charts.js, which draws these curves, is not beside this page: draw the page again";
    return;
  }
  for (const chart of JSON.parse(box.querySelector("script").textContent)) draw(box, chart);
}
for (const box of document.querySelectorAll(".charts")) {
  const folded = box.closest("details");
  if (folded) folded.addEventListener("toggle", () => folded.open && show(box)); else show(box);
}

// A click on a column's title sorts by it, and another the other way; missing values come last.
for (const head of document.querySelectorAll(".sortable th")) head.onclick = () => {
  const body = head.closest("table").tBodies[0], column = head.cellIndex;
  const turn = head.dataset.turn = head.dataset.turn === "1" ? "-1" : "1";
  const place = row => Number(row.cells[column].dataset.place);
  const order = (a, b) => !a - !b || turn * (a - b);
  body.append(...[...body.rows].sort((a, b) => order(place(a), place(b))));
};

// Runs browser.py in Pyodide: node pyodide.mjs PYODIDE REPOSITORY CASES RESULTS
// PYODIDE is a folder with Pyodide and its packages, as its full release has it.
import path from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, repository, cases, results] = process.argv.slice(2).map((p) => path.resolve(p));
const { loadPyodide } = await import(pathToFileURL(path.join(pyodide, "pyodide.mjs")));
const python = await loadPyodide({ indexURL: pyodide });
await python.loadPackage(["numpy", "matplotlib"], { messageCallback: () => {} });
for (const [place, root] of [["/repository", repository], ["/files", path.dirname(cases)]]) {
  python.FS.mkdir(place);
  python.FS.mount(python.FS.filesystems.NODEFS, { root }, place);
}
python.globals.set("files", [cases, results].map((p) => `/files/${path.basename(p)}`));
try {
  python.runPython(`
import os
import sys

os.environ["MPLBACKEND"] = "Agg"  # the usual backend draws on a page
sys.path[:0] = ["/repository", "/repository/tests/exercises"]
import browser

browser.main(*files)
`);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}

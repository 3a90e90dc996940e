/**
 * Makes the Markdown and the page of a report anew, beside its JSON: `node bench/report/render.js FILE.json...`. Nothing is
 * measured.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { html, markdown } from './index.js';

const files = process.argv.slice(2);
if (files.length === 0 || files.some((file) => !file.endsWith('.json'))) {
  console.error('usage: node bench/report/render.js FILE.json...');
  process.exitCode = 2;
} else {
  for (const file of files) render(file);
}

function render(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    const name = file.slice(0, -'.json'.length);
    const made = { [`${name}.md`]: markdown(report), [`${name}.html`]: html(report) };
    for (const [path, content] of Object.entries(made)) writeFileSync(path, content);
  } catch (error) {
    console.error(`${file}: ${error.message}`);
    process.exitCode = 1;
  }
}

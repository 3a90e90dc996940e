/** What is made of measurements: a summary, Markdown, a table for a terminal, and a page. */

export { html } from './html/page.js';
export { markdown } from './markdown.js';
export { compareRows, ReportError, summarize } from './summary.js';
export { terminal } from './terminal.js';

// Tells what CommonJS gets, or how loading failed.
try {
  const { info } = require('millrace/kernels');
  const types = [typeof require('millrace').serve, typeof require('millrace/core').WSConnection];
  console.log(JSON.stringify({ info, types }));
} catch ({ name, code, message }) {
  console.log(JSON.stringify({ name, code, message }));
}

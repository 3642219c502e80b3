// The smallest harness: checks by name, in order, each with a time limit.
'use strict';

let passed = 0;
let failed = 0;

// check(name, async function): says whether it held; goes on either way
exports.check = async function check(name, body) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('not done within 20 seconds')), 20000);
  });
  try {
    await Promise.race([body(), late]);
    passed++;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}: ${error.stack || error}`);
  }
  clearTimeout(timer);
};

// report(): the line that counts; ends the process
exports.report = function report() {
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || passed === 0 ? 1 : 0);
};

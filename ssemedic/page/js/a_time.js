// Times. Every record counts seconds from its own start.

const seconds = () => performance.now() / 1000;
const epoch = () => Date.now() / 1000;
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const rounded = (value) => Math.round(value * 1000) / 1000;

/** A duration as people say it: 12 ms, 3.4 s, 5 min, 2 days. */
function spell(value) {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 120) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} days`;
}

const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

// Numbers, times and outcomes in words.

const UNITS = ["kB", "MB", "GB", "TB"];

/** 1234567 -> "1.23 MB"; three digits that mean something. */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  let value = size / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

export const number = (value) => value.toLocaleString("en");

export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** 64.2 -> "64.2 % smaller"; -3 -> "3.0 % larger". */
export function saving(percent) {
  if (Math.abs(percent) < 0.05) return "the same size";
  return `${Math.abs(percent).toFixed(1)} % ${percent > 0 ? "smaller" : "larger"}`;
}

export const decibels = (value) => (value === null || value === undefined ? "exact" : `${value.toFixed(1)} dB`);

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const AGO = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

export const moment = (iso) => DAY.format(new Date(iso));

export function ago(iso) {
  const seconds = (new Date(iso) - Date.now()) / 1000;
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (Math.abs(seconds) >= length) return AGO.format(Math.round(seconds / length), unit);
  }
  return "just now";
}

export function duration(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

// What an image ends as: how it is called, and how it is meant.
export const OUTCOMES = {
  published: ["smaller", "good"],
  published_lossless: ["smaller, exact", "good"],
  kept_larger: ["kept: was smallest", ""],
  kept_quality: ["kept: quality", ""],
  kept_animated: ["kept: animated", ""],
  kept_multipage: ["kept: several pages", ""],
  rejected: ["not an image", "bad"],
};

export const outcome = (name) => OUTCOMES[name]?.[0] ?? name;
export const outcomeTone = (name) => OUTCOMES[name]?.[1] ?? "";

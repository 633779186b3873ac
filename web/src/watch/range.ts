/** The time range, from the URL: `?hours=24`. */

export const RANGES = [
  { hours: 1, name: "1 hour" },
  { hours: 24, name: "1 day" },
  { hours: 168, name: "1 week" },
  { hours: 744, name: "31 days" },
] as const;

export const DEFAULT_HOURS = 24;
const LONGEST_HOURS = 744;

export function hoursOf(search: string): number {
  const hours = Number(new URLSearchParams(search).get("hours"));
  return Number.isInteger(hours) && hours >= 1 && hours <= LONGEST_HOURS ? hours : DEFAULT_HOURS;
}

/** Return the whole days that cover the hours, for /reports/performance. */
export const daysOf = (hours: number): number => Math.min(31, Math.ceil(hours / 24) + 1);

/** Format a time as short as the range allows. */
export function tick(iso: string, hours: number): string {
  const date = new Date(iso);
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (hours <= 24) return time;
  return hours <= 168 ? `${day}, ${time}` : day;
}

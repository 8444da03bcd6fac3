/** What of this process is in memory, where Linux says so. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Bytes: now, or the most since the start or the last `beginPeak`. */
export function resident(which: 'VmRSS' | 'VmHWM'): number | undefined {
  try {
    const line = readFileSync('/proc/self/status', 'utf8').split('\n').find((l) => l.startsWith(which));
    return line === undefined ? undefined : Number(/\d+/.exec(line)?.[0]) * 1024;
  } catch {
    return undefined;
  }
}
/** The peak counts from here; what the process has already. */
export function beginPeak(): number | undefined {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not allowed: then the peak so far counts too, and can only make us look worse.
  }
  return resident('VmRSS');
}

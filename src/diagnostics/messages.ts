/**
 * Every message, by code. A code never changes its meaning: 1xxx syntax, 2xxx names, axes and types, 3xxx recurrences and
 * stability, 4xxx target limits, 5xxx weights and inputs. One file per thousand.
 */
import { syntaxMessages } from './messages-1xxx.js';
import { nameMessages } from './messages-2xxx.js';
import { recurrenceMessages } from './messages-3xxx.js';
import { targetMessages } from './messages-4xxx.js';

export const messages = { ...syntaxMessages, ...nameMessages, ...recurrenceMessages, ...targetMessages } as const;
export type Code = keyof typeof messages;
export type MessageArguments<C extends Code> = Parameters<(typeof messages)[C]>[0];

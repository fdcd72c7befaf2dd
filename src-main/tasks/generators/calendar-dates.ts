/**
 * Dates of the proleptic Gregorian calendar as day numbers, within the years 1 to 9999 as in Python's `datetime.date`.
 * Knows no time zones and no clock. Day 0 is 1 January of year 1, a Monday.
 */
import { UndefinedInstanceError } from '../undefined-instance.ts';

export const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'] as const;

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

export interface CalendarDate {
  year: number;
  /** 1 to 12. */
  month: number;
  day: number;
}

const LAST_DAY_NUMBER = 3_652_058;

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return isLeapYear(year) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function daysBeforeYear(year: number): number {
  const past = year - 1;
  return past * 365 + Math.floor(past / 4) - Math.floor(past / 100) + Math.floor(past / 400);
}

export function dayNumber({ year, month, day }: CalendarDate): number {
  let number = daysBeforeYear(year) + day - 1;
  for (let before = 1; before < month; before++) number += daysInMonth(year, before);
  return number;
}

export function dateOf(number: number): CalendarDate {
  let year = Math.floor(number / 365.2425) + 1;
  while (daysBeforeYear(year) > number) year--;
  while (daysBeforeYear(year + 1) <= number) year++;
  let day = number - daysBeforeYear(year) + 1;
  let month = 1;
  for (; day > daysInMonth(year, month); month++) day -= daysInMonth(year, month);
  return { year, month, day };
}

/** 0 is Monday. */
export function weekdayOf(number: number): number {
  return number % 7;
}

/** @throws UndefinedInstanceError beyond the years 1 to 9999, where the reference fails too. */
export function addDays(number: number, days: number): number {
  const sum = number + days;
  if (sum < 0 || sum > LAST_DAY_NUMBER) throw new UndefinedInstanceError('this instance leaves the years 1 to 9999');
  return sum;
}

/** `2024-03-05`. */
export function isoText({ year, month, day }: CalendarDate): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
}

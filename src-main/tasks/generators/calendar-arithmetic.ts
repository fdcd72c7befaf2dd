/**
 * Weekdays, recurring dates and leap years. Reference: reasoning-gym `calendar_arithmetic` (Apache-2.0).
 * Wordings are drawn where the reference draws its own, out of equally many.
 */
import { judgeAnswer, matchInteger, matchText } from '../answer-match.ts';
import type { ConfigOf } from '../config-fields.ts';
import { calendarCredit } from '../credit/credit-rules.ts';
import { defineGenerator } from '../define-generator.ts';
import type { PythonRandom } from '../python-random.ts';
import type { JsonObject } from '../../types.ts';
import {
  addDays,
  dateOf,
  dayNumber,
  daysInMonth,
  isLeapYear,
  isoText,
  MONTHS,
  WEEKDAYS,
  weekdayOf,
} from './calendar-dates.ts';

const ORDINALS = ['first', 'second', 'third', 'fourth', 'last'] as const;

/** How to answer a weekday question; nine, as the reference draws one of nine. */
const WEEKDAY_ENDINGS = [
  'Answer with the English name of the weekday.',
  'The answer is one of Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.',
  'Give the weekday by its full English name.',
  'Write the day out, such as Tuesday.',
  'One word is enough: the name of the day.',
  'Do not abbreviate the weekday.',
  'Spell the name of the day in full, with a capital letter.',
  'Only the name of the weekday counts.',
  'State the full name of that day.',
] as const;

/** How to answer a counting question; eight, as the reference draws one of eight. */
const COUNT_ENDINGS = [
  'Answer with an integer.',
  'The answer is a whole number.',
  'Write it in digits.',
  'One number is enough.',
  'Give it as a plain integer.',
  'Only the number counts.',
  'State the number in digits.',
  'Use digits, not words.',
] as const;

const FIELDS = {
  year: { kind: 'integer', default: 2022, min: 1, max: 9999 },
  tasks: {
    kind: 'choices',
    default: [
      'weekday_offset',
      'weekday_of_date',
      'weekday_of_date_from_first_date',
      'recurring_event_day',
      'count_days',
      'count_business_days',
      'is_leap_year',
    ],
    options: [
      'weekday_offset',
      'weekday_of_date',
      'weekday_of_date_from_first_date',
      'recurring_event_day',
      'count_days',
      'count_business_days',
      'is_leap_year',
    ],
    maxLength: 14,
  },
  offset_upper_bound: { kind: 'integer', default: 100, min: 1, max: 100_000 },
  leap_year_range: { kind: 'integer', default: 200, min: 0, max: 20_000 },
} as const;

type Config = ConfigOf<typeof FIELDS>;

interface CalendarQuestion {
  question: string;
  terse: string;
  answer: string;
  metadata: JsonObject;
}

/** "March 5". */
function monthDay(number: number): string {
  const { month, day } = dateOf(number);
  return `${MONTHS[month - 1]!} ${day}`;
}

function fullDate(number: number): string {
  return `${monthDay(number)}, ${dateOf(number).year}`;
}

function iso(number: number): string {
  return isoText(dateOf(number));
}

function drawDateInYear(random: PythonRandom, year: number): number {
  const month = random.randint(1, 12);
  return dayNumber({ year, month, day: random.randint(1, daysInMonth(year, month)) });
}

function drawDateBetween(random: PythonRandom, first: number, last: number): number {
  return first + random.randint(0, last - first);
}

function drawWeekday(random: PythonRandom): number {
  return random.randint(0, 6);
}

function weekdayOffset(random: PythonRandom, config: Config): CalendarQuestion {
  const start = drawDateInYear(random, config.year);
  const size = random.randint(1, config.offset_upper_bound);
  const offset = random.choice([-1, 1]) * size;
  const target = addDays(start, offset);
  const day = `${WEEKDAYS[weekdayOf(start)]!}, ${fullDate(start)}`;
  const wordings =
    offset > 0
      ? [
          `It is ${day}. Which weekday comes ${size} days later?`,
          `From ${day}, move ahead by ${size} days. On which weekday do you end?`,
          `Which day of the week lies ${size} days after ${day}?`,
        ]
      : [
          `It is ${day}. Which weekday was it ${size} days earlier?`,
          `From ${day}, move back by ${size} days. On which weekday do you end?`,
          `Which day of the week lies ${size} days before ${day}?`,
        ];
  return {
    question: `${random.choice(wordings)} ${random.choice(WEEKDAY_ENDINGS)}`,
    terse: `weekday ${iso(start)} ${WEEKDAYS[weekdayOf(start)]!} ${offset > 0 ? '+' : ''}${offset}`,
    answer: WEEKDAYS[weekdayOf(target)]!,
    metadata: {
      task: 'weekday_offset',
      start_date: iso(start),
      offset_days: offset,
      target_date: iso(target),
    },
  };
}

function weekdayOfDate(random: PythonRandom, config: Config): CalendarQuestion {
  const target = drawDateInYear(random, config.year);
  const wordings = [
    `Which weekday is ${fullDate(target)} in the Gregorian calendar?`,
    `On which day of the week does ${fullDate(target)} fall (Gregorian calendar)?`,
    `Find the weekday of the date ${iso(target)} (year-month-day, Gregorian calendar).`,
  ];
  return {
    question: `${random.choice(wordings)} ${random.choice(WEEKDAY_ENDINGS)}`,
    terse: `weekday ${iso(target)}`,
    answer: WEEKDAYS[weekdayOf(target)]!,
    metadata: { task: 'weekday_of_date', target_date: iso(target) },
  };
}

function weekdayFromFirstDate(random: PythonRandom, config: Config): CalendarQuestion {
  const first = drawWeekday(random);
  const yearStart = dayNumber({ year: config.year, month: 1, day: 1 });
  const yearEnd = dayNumber({ year: config.year, month: 12, day: 31 });
  const last = Math.min(addDays(yearStart, config.offset_upper_bound), yearEnd);
  let target = yearStart;
  while (target === yearStart) target = drawDateBetween(random, yearStart, last);
  const delta = target - yearStart;
  const kind = isLeapYear(config.year) ? 'leap year' : 'year of 365 days';
  const day = WEEKDAYS[first]!;
  const wordings = [
    `Suppose that January 1 of a ${kind} is a ${day}. Which weekday is ${monthDay(target)} of that year?`,
    `A ${kind} begins on a ${day}. On which day of the week does its ${monthDay(target)} fall?`,
    `Were January 1 of a ${kind} a ${day}, what would be the weekday of ${monthDay(target)} in the same year?`,
  ];
  return {
    question: `${random.choice(wordings)} ${random.choice(WEEKDAY_ENDINGS)}`,
    terse: `weekday ${iso(yearStart)} ${day} to ${iso(target)}`,
    answer: WEEKDAYS[(first + delta) % 7]!,
    metadata: {
      task: 'weekday_of_date_from_first_date',
      year: config.year,
      first_day: day,
      target_date: iso(target),
      delta_days: delta,
    },
  };
}

function recurringEventDay(random: PythonRandom, config: Config): CalendarQuestion {
  const { year } = config;
  const month = random.randint(1, 12);
  const ordinal = random.choice(ORDINALS);
  const weekday = drawWeekday(random);
  const earliest = 1 + ((weekday - weekdayOf(dayNumber({ year, month, day: 1 })) + 7) % 7);
  const lastWeeks = Math.floor((daysInMonth(year, month) - earliest) / 7);
  const day = earliest + 7 * (ordinal === 'last' ? lastWeeks : ORDINALS.indexOf(ordinal));
  const [name, inMonth] = [WEEKDAYS[weekday]!, `${MONTHS[month - 1]!} ${year}`];
  const wordings = [
    `A club meets on the ${ordinal} ${name} of ${inMonth}. Which day of the month is that?`,
    `What is the day of the month of the ${ordinal} ${name} in ${inMonth}?`,
    `In ${inMonth}, on which date (day of the month) is the ${ordinal} ${name}?`,
  ];
  return {
    question: `${random.choice(wordings)} ${random.choice(COUNT_ENDINGS)}`,
    terse: `date ${ordinal} ${name} ${year}-${String(month).padStart(2, '0')}`,
    answer: String(day),
    metadata: { task: 'recurring_event_day', year, month, ordinal, weekday: name },
  };
}

/** How many of the days first to last, both included, have a weekday that `counts`. */
function countDaysWhere(first: number, last: number, counts: (weekday: number) => boolean): number {
  const inWeek = WEEKDAYS.filter((_, weekday) => counts(weekday)).length;
  const days = last - first + 1;
  let count = Math.floor(days / 7) * inWeek;
  for (let i = 0; i < days % 7; i++) if (counts(weekdayOf(first + i))) count++;
  return count;
}

function countDays(random: PythonRandom, config: Config): CalendarQuestion {
  const yearStart = dayNumber({ year: config.year, month: 1, day: 1 });
  const yearEnd = dayNumber({ year: config.year, month: 12, day: 31 });
  const start = drawDateBetween(random, yearStart, yearEnd);
  const end = drawDateBetween(random, start, Math.min(yearEnd, addDays(start, config.offset_upper_bound)));
  const weekday = drawWeekday(random);
  const [name, from, to] = [WEEKDAYS[weekday]!, fullDate(start), fullDate(end)];
  const wordings = [
    `From ${from} to ${to}, both days included, how many times is it a ${name}?`,
    `How many ${name}s lie in the time from ${from} up to and including ${to}?`,
    `Count each ${name} from ${from} until ${to}; the first and the last day count too. How many are there?`,
  ];
  return {
    question: `${random.choice(wordings)} ${random.choice(COUNT_ENDINGS)}`,
    terse: `count ${name} ${iso(start)} ${iso(end)}`,
    answer: String(countDaysWhere(start, end, (day) => day === weekday)),
    metadata: { task: 'count_days', year: config.year, start_date: iso(start), end_date: iso(end) },
  };
}

function countBusinessDays(random: PythonRandom, config: Config): CalendarQuestion {
  const yearStart = dayNumber({ year: config.year, month: 1, day: 1 });
  const yearEnd = dayNumber({ year: config.year, month: 12, day: 31 });
  const start = drawDateBetween(random, yearStart, yearEnd);
  // Unlike count_days, this may run into the next year.
  const end = drawDateBetween(random, start, addDays(start, config.offset_upper_bound));
  const [from, to] = [fullDate(start), fullDate(end)];
  const wordings = [
    `From ${from} to ${to}, both included, how many days are neither Saturday nor Sunday?`,
    `Someone works from Monday to Friday, every week. On how many days from ${from} up to and including ${to}?`,
    `How many days from Monday to Friday are there between ${from} and ${to}? The first and the last day count too.`,
  ];
  return {
    question: `${random.choice(wordings)} ${random.choice(COUNT_ENDINGS)}`,
    terse: `count workdays ${iso(start)} ${iso(end)}`,
    answer: String(countDaysWhere(start, end, (day) => day < 5)),
    metadata: { task: 'count_business_days', start_date: iso(start), end_date: iso(end) },
  };
}

function leapYear(random: PythonRandom, config: Config): CalendarQuestion {
  const half = Math.floor(config.leap_year_range / 2);
  const year = random.randint(config.year - half, config.year + half);
  const wordings = [
    `Has the year ${year} of the Gregorian calendar a February 29?`,
    `Is ${year} a leap year in the Gregorian calendar?`,
    `By the rules of the Gregorian calendar, has the year ${year} 366 days?`,
  ];
  return {
    question: `${random.choice(wordings)} Answer Yes or No.`,
    terse: `leap ${year}`,
    answer: isLeapYear(year) ? 'Yes' : 'No',
    metadata: { task: 'is_leap_year', year, is_leap: isLeapYear(year) },
  };
}

const QUESTIONS: Record<
  (typeof FIELDS.tasks.options)[number],
  (random: PythonRandom, config: Config) => CalendarQuestion
> = {
  weekday_offset: weekdayOffset,
  weekday_of_date: weekdayOfDate,
  weekday_of_date_from_first_date: weekdayFromFirstDate,
  recurring_event_day: recurringEventDay,
  count_days: countDays,
  count_business_days: countBusinessDays,
  is_leap_year: leapYear,
};

const COUNTING: readonly unknown[] = ['recurring_event_day', 'count_days', 'count_business_days'];

export const calendarArithmetic = defineGenerator({
  name: 'calendar_arithmetic',
  version: 1,
  summary: 'Finds weekdays, recurring dates, counts of days and leap years.',
  fields: FIELDS,
  rules: [],
  levels: [
    { name: 'starter', config: { tasks: ['is_leap_year', 'recurring_event_day'], leap_year_range: 40 } },
    {
      name: 'easy',
      config: { tasks: ['weekday_offset', 'weekday_of_date_from_first_date', 'is_leap_year'], offset_upper_bound: 30 },
    },
    { name: 'reference', config: {} },
    { name: 'hard', config: { offset_upper_bound: 365, leap_year_range: 2000 } },
  ],
  draw(random, config) {
    const task = random.choice(config.tasks) as keyof typeof QUESTIONS;
    const drawn = QUESTIONS[task](random, config);
    return {
      ...drawn,
      metadata: {
        ...drawn.metadata,
        difficulty: { tasks: [...config.tasks], offset_upper_bound: config.offset_upper_bound },
      },
    };
  },
  verify(answer, problem) {
    const { task } = problem.metadata;
    if (COUNTING.includes(task)) return matchInteger(answer, problem.answer);
    if (task !== 'is_leap_year') return matchText(answer, problem.answer);
    return judgeAnswer(answer, problem.answer, (trimmed) => {
      const said = trimmed.toLowerCase();
      return said === 'yes' || said === 'no' ? said === problem.answer.toLowerCase() : 'Yes or No';
    });
  },
  partialCredit: calendarCredit,
});

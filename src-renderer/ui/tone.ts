/** The four tones of chips and notices, as classes. */
export type Tone = 'neutral' | 'honey' | 'good' | 'bad' | 'info';

export const softTone: Record<Tone, string> = {
  neutral: 'bg-raised text-ink',
  honey: 'bg-accent-soft text-accent-text',
  good: 'bg-good-soft text-good',
  bad: 'bg-bad-soft text-bad',
  info: 'bg-info-soft text-info',
};

export const inkTone: Record<Tone, string> = {
  neutral: 'text-muted',
  honey: 'text-accent-text',
  good: 'text-good',
  bad: 'text-bad',
  info: 'text-info',
};

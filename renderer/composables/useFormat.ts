import { useIntervalFn } from '@vueuse/core'
import { ref } from 'vue'
import type { Ref } from 'vue'
import { useI18n } from 'vue-i18n'

const thin = '\u00a0'

/** Figures and times as a person reads them, in the language of the page. Non-breaking before units. */
export function useFormat() {
  const { t, locale } = useI18n()

  const count = (value: number): string => new Intl.NumberFormat(locale.value).format(value)

  /** @param share 0 to 1 @param digits decimals, 0 by default */
  const percent = (share: number, digits = 0): string =>
    `${new Intl.NumberFormat(locale.value, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(share * 100)}${thin}%`

  /** Decimal units, as file managers show them. */
  function bytes(value: number): string {
    const units = ['B', 'kB', 'MB', 'GB', 'TB']
    let unit = 0
    let left = value
    while (left >= 1000 && unit < units.length - 1) {
      left /= 1000
      unit += 1
    }
    const digits = left < 10 && unit > 0 ? 1 : 0
    const number = new Intl.NumberFormat(locale.value, { maximumFractionDigits: digits }).format(left)
    return `${number}${thin}${units[unit]}`
  }

  /** @param seconds a length of time, e.g. of a forecast */
  function duration(seconds: number): string {
    if (seconds < 1) return t('common.lessThanSecond')
    if (seconds < 90) return t('common.seconds', { n: Math.round(seconds) })
    if (seconds < 3600 * 1.5) return t('common.minutes', { n: Math.round(seconds / 60) })
    const minutes = Math.round(seconds / 60)
    const [h, m] = [Math.floor(minutes / 60), minutes % 60]
    return m === 0 ? t('common.hours', { n: h }) : t('common.hoursMinutes', { h, m })
  }

  /** @param value milliseconds that something takes; one decimal where there are only a few */
  function milliseconds(value: number): string {
    const digits = value < 9.95 ? 1 : 0
    const number = new Intl.NumberFormat(locale.value, {
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
    })
    return `${number.format(value)}${thin}ms`
  }

  /** @param at milliseconds since 1970 @param now the same, for a view that ticks */
  function ago(at: number, now = Date.now()): string {
    const seconds = Math.max(0, Math.round((now - at) / 1000))
    if (seconds < 60) return t('common.secondsAgo', seconds)
    if (seconds < 3600) return t('common.minutesAgo', Math.round(seconds / 60))
    if (seconds < 86_400) return t('common.hoursAgo', Math.round(seconds / 3600))
    const days = Math.round(seconds / 86_400)
    if (days < 14) return t('common.daysAgo', days)
    return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium' }).format(at)
  }

  const moment = (at: number): string =>
    new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short' }).format(at)

  /** @param rate pictures per second */
  const rate = (value: number): string =>
    t('common.rate', { rate: count(value < 10 ? Math.round(value * 10) / 10 : Math.round(value)) })

  return { count, percent, bytes, duration, milliseconds, ago, moment, rate }
}

/** A clock for "4 seconds ago": milliseconds since 1970, every `intervalMs`. */
export function useTicking(intervalMs = 5_000): Ref<number> {
  const now = ref(Date.now())
  useIntervalFn(() => (now.value = Date.now()), intervalMs)
  return now
}

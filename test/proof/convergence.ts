/** How long it takes a change to reach the proxies, and what istiod was asked about it, by its own account. */

/** Means of its histograms between two readings, in milliseconds. */
export interface Convergence {
  /** From a change until it is pushed together with others: `pilot_debounce_time`. */
  readonly debounceMs: number
  /** From the push until a proxy has it: `pilot_proxy_convergence_time`. Its smallest bucket is 100 ms. */
  readonly pushMs: number
}

/** What istiod measured between two readings of its metrics. */
export function convergence(before: string, after: string): Convergence {
  const mean = (histogram: string) => {
    const grown = (name: string) => total(after, name) - total(before, name)
    return Math.round((1000 * grown(`${histogram}_sum`)) / Math.max(1, grown(`${histogram}_count`)))
  }
  return { debounceMs: mean('pilot_debounce_time'), pushMs: mean('pilot_proxy_convergence_time') }
}

/** What its debug interface answered, over the protocol by which proxies are told. */
export interface Asked {
  readonly answers: number
  readonly bytes: number
}

/** What istiod was asked between two readings of its metrics. */
export function asked(before: string, after: string): Asked {
  const grown = (name: string) => total(after, name, 'type="istio.io/debug"') - total(before, name, 'type="istio.io/debug"')
  return { answers: grown('pilot_xds_config_size_bytes_count'), bytes: grown('pilot_xds_config_size_bytes_sum') }
}

/** Over all labels, or over those series that have this one. */
function total(metrics: string, name: string, label = ''): number {
  return metrics
    .split('\n')
    .filter((line) => /^\w+/.exec(line)?.[0] === name && line.includes(label))
    .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}

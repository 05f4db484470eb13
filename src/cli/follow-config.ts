/** A configuration that changes while the webhook runs: what can be taken over at once is, and the rest waits for a restart. */
import { unwatchFile, watchFile } from 'node:fs'
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { HitlessError } from '../errors.ts'

/** Looked at by name: a ConfigMap's file changes by a link that is swapped, of which a watch on the file itself would tell nothing. */
const LOOK_MS = 1000
/** What listeners, watches and the model were built with. */
const FIXED = ['server', 'settings'] as const

export interface FollowOptions {
  readonly file: string
  readonly config: Config
  /** Reads the file again; throws HitlessError where it is not valid. */
  readonly read: () => Config
  readonly log: Logger
  /** Told of each attempt to take over a new configuration. */
  readonly reloaded: (success: boolean) => void
}

/** Gives the configuration of this moment. A file that is not valid changes nothing and is told in the log. */
export function followConfig({ file, config, read, log, reloaded }: FollowOptions, signal: AbortSignal): () => Config {
  let current = config
  const look = () => {
    try {
      const next = read()
      const waiting = FIXED.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(current[key]))
      current = { ...next, server: current.server, settings: current.settings }
      log.level = current.log.level
      log.info({ file }, 'configuration taken over')
      if (waiting.length > 0) log.warn({ file, fields: waiting }, 'these fields are taken over by a restart')
      reloaded(true)
    } catch (error) {
      if (!(error instanceof HitlessError)) throw error
      log.error({ file, code: error.code }, `configuration kept as it was: ${error.message}`)
      reloaded(false)
    }
  }
  watchFile(file, { interval: LOOK_MS, persistent: false }, look)
  signal.addEventListener('abort', () => unwatchFile(file, look), { once: true })
  return () => current
}

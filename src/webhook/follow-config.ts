/** A configuration that changes while the webhook runs: what can be taken over at once is, and the rest waits for a restart. */
import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import { HitlessError } from '../errors.ts'
import { followFile } from './follow-file.ts'

/** What listeners, watches and the model were built with. */
const FIXED = ['server', 'settings', 'mesh'] as const

/** Where a configuration comes from. */
export interface ConfigFile {
  readonly file: string
  /** What it held when the process started. */
  readonly content: string
  /** The configuration that a content means; throws HitlessError where it is not valid. */
  readonly parse: (content: string) => Config
}

export interface FollowOptions extends ConfigFile {
  /** That of the content at start. */
  readonly config: Config
  readonly log: Logger
  /** Told of each attempt to take over a new configuration. */
  readonly reloaded: (success: boolean) => void
  /** How often the file is read. */
  readonly everyMs?: number
}

/** Gives the configuration of this moment. A file that is not valid changes nothing and is told in the log. */
export function followConfig({ file, content, config, parse, log, reloaded, everyMs }: FollowOptions, signal: AbortSignal): () => Config {
  let current = config
  const take = (changed: string | null) => {
    try {
      if (changed === null) throw new HitlessError('HITLESS_UNREADABLE', `${file}: cannot be read`)
      const next = parse(changed)
      const waiting = FIXED.filter((key) => JSON.stringify(next[key]) !== JSON.stringify(current[key]))
      current = { ...next, server: current.server, settings: current.settings, mesh: current.mesh }
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
  followFile(file, content, take, signal, everyMs)
  return () => current
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** A program that this test process started and that cannot outlive it. */
export interface LocalProcess {
  readonly name: string
  readonly running: boolean
  /** The last lines it wrote, for an error message. */
  tail(): Promise<string>
  signal(signal: NodeJS.Signals): void
  /** Ends it and resolves when it has gone. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

interface Program {
  readonly name: string
  readonly path: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Everything the program writes is appended here. */
  readonly log: string
}

// The program replaces the shell, so its pid is the child's. A subshell stays behind and reads a pipe of which this process holds the
// other end: the pipe closes however this process ends, killed by a test time-out included, and the subshell then ends the program.
const LIFELINE = 'exec 3<&0; (read -r _ <&3; kill -9 $$) 2>/dev/null & exec "$@" </dev/null 3<&-'

/** Starts a program; see {@link LocalProcess}. */
export function startProcess({ name, path, args, env = process.env, log }: Program): LocalProcess {
  const output = openSync(log, 'a')
  const child = spawn('sh', ['-c', LIFELINE, name, path, ...args], { stdio: ['pipe', output, output], env })
  closeSync(output)
  const exited = once(child, 'exit')
  return {
    name,
    get running() {
      return child.exitCode === null && child.signalCode === null
    },
    tail: async () => (await readFile(log, 'utf8')).split('\n').slice(-20).join('\n'),
    signal: (signal) => {
      child.kill(signal)
    },
    stop: async (signal = 'SIGKILL') => {
      child.kill(signal)
      await exited
    }
  }
}

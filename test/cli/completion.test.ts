/** The completion of shells; that of bash in a real one. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { hitless } from './commands.ts'

const { out: script } = await hitless(['completion', 'bash'])
const file = join(t.testdir({ 'hitless.bash': script }), 'hitless.bash')

/** What bash offers for the last of these words. */
function offered(...words: readonly string[]): string[] {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: bash's own
  const ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _hitless; printf "%s\\n" "${COMPREPLY[@]}"'
  const out = execFileSync('bash', ['--norc', '-c', ask, 'bash', file, 'hitless', ...words], { encoding: 'utf8' })
  return out.split('\n').filter(Boolean)
}

t.test('commands, their options, and the choices of an option', async (t) => {
  t.strictSame(offered('ch'), ['check'])
  t.strictSame(offered('check', '--bas'), ['--base', '--base-git'])
  t.strictSame(offered('check', 'mesh/', '--as', 'f'), ['flux'])
  t.strictSame(offered('check', '-o', 'j'), ['json', 'junit'])
  t.strictSame(offered('completion', ''), ['bash', 'zsh', 'fish'])
})

t.test('where a file may stand, bash is left to offer files', async (t) => {
  for (const words of [
    ['check', ''],
    ['check', '--base', ''],
    ['replay', 'x']
  ])
    t.strictSame(offered(...words), [], words.join(' '))
  t.match(script, 'complete -o default -F _hitless hitless kubectl-hitless')
})

t.test('every command and every option of the help is in every script', async (t) => {
  const scripts = await Promise.all(['bash', 'zsh', 'fish'].map(async (shell) => (await hitless(['completion', shell])).out))
  const { out } = await hitless(['--help'])
  const commands = [...out.matchAll(/^ {2}(\w+) .* {2,}\S/gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
  t.ok(commands.length > 10)
  for (const command of commands) {
    const { out: help } = await hitless([command, '--help'])
    const options = [...help.matchAll(/^ {2}(?:-\w, )?--([\w-]+)/gm)].map(([, name = '']) => name).filter((name) => name !== 'help')
    for (const text of scripts) for (const word of [command, ...options]) t.ok(text.includes(word), `${command} ${word}`)
  }
})

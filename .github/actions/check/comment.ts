/** Posts the report as a comment on the pull request, or puts it into the comment that an earlier run posted. */
import { readFileSync } from 'node:fs'

interface Comment {
  readonly url: string
  readonly body?: string
  readonly user?: { readonly type?: string } | null
}

/** The first line of the comment, which nobody sees. */
const MARK = '<!-- hitless: the report of a change -->'
const PAGE = 100

const { GITHUB_API_URL = 'https://api.github.com', GITHUB_REPOSITORY = '', GITHUB_EVENT_PATH = '', TOKEN = '', REPORT = '' } = process.env
const event = JSON.parse(readFileSync(GITHUB_EVENT_PATH, 'utf8')) as { pull_request: { number: number } }
const comments = `${GITHUB_API_URL}/repos/${GITHUB_REPOSITORY}/issues/${event.pull_request.number}/comments`
const body = `${MARK}\n${readFileSync(REPORT, 'utf8')}`

async function ask(method: 'GET' | 'POST' | 'PATCH', url: string, content?: object): Promise<Response> {
  const headers = { authorization: `Bearer ${TOKEN}`, accept: 'application/vnd.github+json', 'x-github-api-version': '2022-11-28' }
  return fetch(url, { method, headers, ...(content === undefined ? {} : { body: JSON.stringify(content) }) })
}

/** Only a bot's: whoever writes the mark into a comment of their own keeps it. */
async function earlier(): Promise<Comment | undefined> {
  for (let page = 1; ; page++) {
    const answer = await ask('GET', `${comments}?per_page=${PAGE}&page=${page}`)
    if (!answer.ok) return undefined
    const found = (await answer.json()) as readonly Comment[]
    const own = found.find((comment) => comment.user?.type === 'Bot' && comment.body?.startsWith(MARK))
    if (own !== undefined || found.length < PAGE) return own
  }
}

const own = await earlier()
const answer = await (own === undefined ? ask('POST', comments, { body }) : ask('PATCH', own.url, { body }))
if (answer.status === 403 || answer.status === 404) {
  // A pull request from a fork has a token that only reads.
  process.stdout.write('::notice::hitless: this token may not comment; the report is in the summary of the job\n')
} else if (!answer.ok) {
  process.stdout.write(`::error::hitless: the report was not posted: HTTP ${answer.status}\n`)
  process.exitCode = 1
}

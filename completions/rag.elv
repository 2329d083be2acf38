
use builtin;
use str;

set edit:completion:arg-completer[rag] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'rag'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'rag'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand ingest 'Index folders or update their index'
            cand jobs 'List, follow, cancel, retry and run jobs'
            cand search 'Rank the passages that match a question'
            cand ask 'Answer a question from the index, with citations'
            cand chat 'Ask questions interactively'
            cand open 'Open a source of the last answer or search'
            cand show 'Show a passage and what is around it'
            cand sessions 'List, show, export and remove conversations'
            cand index 'List, verify, move and remove indexes'
            cand documents 'List, show and remove the documents of an index'
            cand cache 'Show, empty and warm the cache'
            cand model 'List, verify, add and download embedding models'
            cand serve 'Serve a web page and an HTTP API'
            cand token 'Add, list and revoke access tokens of `rag serve`'
            cand eval 'Measure search and answers on questions with known answers'
            cand mcp 'Serve the indexes to agents over the Model Context Protocol'
            cand stats 'Show usage statistics'
            cand worker 'Run jobs until interrupted'
            cand migrate 'Bring the database schema up to date'
            cand status 'Show what is indexed, how fresh it is, and what could be better'
            cand doctor 'Check the data directory, library, model, index, cache and outside services'
            cand init 'Make a configuration file for this folder'
            cand config 'Show and change settings'
            cand completions 'Print a shell completion script'
            cand man 'Print a man page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;ingest'= {
            cand --dir 'Folder to index (repeatable); same as the argument DIR'
            cand --url 'Web page to index (repeatable); the URL of a sitemap means the pages that it lists'
            cand --model 'Embedding model [default: all-MiniLM-L6-v2]'
            cand --include 'Index only files matching GLOB, as in .gitignore (repeatable)'
            cand --exclude 'Skip files matching GLOB, as in .gitignore (repeatable)'
            cand --wait 'Wait up to SECONDS for another writer'
            cand --threads 'Threads for reading and embedding [default: one per core]'
            cand --poll 'Poll for changes every SECONDS, for network drives'
            cand --priority 'Priority of the background job'
            cand --after 'Start only after job ID has succeeded (repeatable)'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --sitemap 'Index the pages that the site''s sitemap lists below each URL'
            cand --only 'Remove all other folders from the index'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --no-cache 'Do not read or write the embedding cache'
            cand --retry-failed 'Retry unchanged files that failed before'
            cand --detach 'Queue a background job and print its id'
            cand --watch 'Keep running; re-ingest on change'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;jobs'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List jobs, oldest first'
            cand show 'Show a job'
            cand cancel 'Cancel a queued or running job'
            cand retry 'Queue a failed or cancelled job again'
            cand clean 'Delete records of finished jobs'
            cand run 'Run queued jobs until none is left'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;jobs;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;show'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --follow 'Wait for the job to finish, and exit as it did'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;cancel'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;retry'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;clean'= {
            cand --older-than 'Only jobs that ended more than HOURS ago [default: setting `jobs.keep_hours`]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;run'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --one 'Run one job in this process'
            cand --embed 'Embed texts of ingests on other machines'
            cand --detached 'Start a new session, to survive the end of the terminal'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;jobs;help'= {
            cand list 'List jobs, oldest first'
            cand show 'Show a job'
            cand cancel 'Cancel a queued or running job'
            cand retry 'Queue a failed or cancelled job again'
            cand clean 'Delete records of finished jobs'
            cand run 'Run queued jobs until none is left'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;jobs;help;list'= {
        }
        &'rag;jobs;help;show'= {
        }
        &'rag;jobs;help;cancel'= {
        }
        &'rag;jobs;help;retry'= {
        }
        &'rag;jobs;help;clean'= {
        }
        &'rag;jobs;help;run'= {
        }
        &'rag;jobs;help;help'= {
        }
        &'rag;search'= {
            cand -k 'Number of passages [default: 10]'
            cand --mode 'Retrievers to use [default: hybrid]'
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --rerank 'Rerank the top N passages, with `rerank.model` [default: 20]'
            cand --format 'Text for people, passages as Markdown for a language model (context), paths, or `path:line:text` (lines) [default: text]'
            cand --tokens 'Maximum tokens of `--format context` [default: 4000]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --explain 'Show rank, score and weight of every retriever'
            cand --no-cache 'Do not read or write the cache'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;ask'= {
            cand --batch 'Answer every line of FILE (`-`: standard input), one JSON object per line'
            cand --format 'Text for people, the passages as Markdown for a language model (context), paths, `path:line:text` (lines), or the steps of the answer as a diagram (mermaid) [default: text]'
            cand --tokens 'Maximum tokens of `--format context` [default: 4000]'
            cand --session 'Start or continue the conversation ID'
            cand -k 'Number of passages to consider [default: 10]'
            cand --mode 'Retrievers to use [default: hybrid]'
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --rerank 'Rerank the top N passages, with `rerank.model` [default: 20]'
            cand --intent 'Kind of answer [default: detected from the question]'
            cand --max-words 'Maximum length of the answer in words [default: 60]'
            cand --generator 'Quote the documents, or have a language model write [default: extractive]'
            cand --llm 'Language model to write with, one of the tables `llm.NAME` of the configuration'
            cand --fallback 'Generator to use when the language model fails [default: none]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --continue 'Continue the last used conversation'
            cand --no-cache 'Do not read or write the cache'
            cand --refresh 'Recompute and replace cached results'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;chat'= {
            cand --session 'Start or continue the conversation ID'
            cand -k 'Number of passages to consider [default: 10]'
            cand --mode 'Retrievers to use [default: hybrid]'
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --rerank 'Rerank the top N passages, with `rerank.model` [default: 20]'
            cand --intent 'Kind of answer [default: detected from the question]'
            cand --max-words 'Maximum length of the answer in words [default: 60]'
            cand --generator 'Quote the documents, or have a language model write [default: extractive]'
            cand --llm 'Language model to write with, one of the tables `llm.NAME` of the configuration'
            cand --fallback 'Generator to use when the language model fails [default: none]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --continue 'Continue the last used conversation'
            cand --no-cache 'Do not read or write the cache'
            cand --refresh 'Recompute and replace cached results'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;open'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;show'= {
            cand -C 'Passages to show before and after it'
            cand --context 'Passages to show before and after it'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;sessions'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List conversations, last used first'
            cand show 'Print a conversation'
            cand export 'Export a conversation as JSON lines'
            cand remove 'Remove conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;sessions;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;show'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;export'= {
            cand --to 'Folder to write session.jsonl to [default: `runs/session_TIME` in the data directory]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --force 'Overwrite an existing session.jsonl'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;sessions;remove'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --all 'Remove every conversation and the history of `rag chat`'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;sessions;help'= {
            cand list 'List conversations, last used first'
            cand show 'Print a conversation'
            cand export 'Export a conversation as JSON lines'
            cand remove 'Remove conversations'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;sessions;help;list'= {
        }
        &'rag;sessions;help;show'= {
        }
        &'rag;sessions;help;export'= {
        }
        &'rag;sessions;help;remove'= {
        }
        &'rag;sessions;help;help'= {
        }
        &'rag;index'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the indexes in the data directory'
            cand show 'Show the contents and settings of an index'
            cand verify 'Check every byte of an index and report damage'
            cand save 'Save an index to a single file'
            cand load 'Load an index from a file, checking every byte first'
            cand push 'Copy an index to a bucket or a shared folder'
            cand pull 'Copy an index from a bucket or a shared folder, checking every byte'
            cand gc 'Delete files from the bucket that no index needs any more'
            cand rollback 'Roll back to the previous generation (repeat to undo)'
            cand compact 'Rewrite an index without the remains of removed documents'
            cand remove-folder 'Remove a folder from an index; files on disk are not touched'
            cand remove 'Remove an index; files on disk are not touched'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;index;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --everywhere 'List the indexes of all known data directories'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;show'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;verify'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --repair 'Repair the index from its intact parts, its files and the embedding cache'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;save'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --force 'Overwrite an existing file'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;load'= {
            cand --as 'Name for the index [default: the name it was saved under]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --replace 'Replace an existing index of that name'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;push'= {
            cand --to 'Bucket or folder, such as `s3://bucket/rag` [default: depot.url]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --replace 'Replace another index of that name, and files that are there already'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;pull'= {
            cand --from 'Bucket or folder, such as `s3://bucket/rag` [default: depot.url]'
            cand --as 'Name for the index [default: the name it has there]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --replace 'Replace an existing index of that name'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;gc'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --now 'Do not wait for the grace to pass'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;rollback'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;index;compact'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;remove-folder'= {
            cand --wait 'Wait up to SECONDS for another writer'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;remove'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;index;help'= {
            cand list 'List the indexes in the data directory'
            cand show 'Show the contents and settings of an index'
            cand verify 'Check every byte of an index and report damage'
            cand save 'Save an index to a single file'
            cand load 'Load an index from a file, checking every byte first'
            cand push 'Copy an index to a bucket or a shared folder'
            cand pull 'Copy an index from a bucket or a shared folder, checking every byte'
            cand gc 'Delete files from the bucket that no index needs any more'
            cand rollback 'Roll back to the previous generation (repeat to undo)'
            cand compact 'Rewrite an index without the remains of removed documents'
            cand remove-folder 'Remove a folder from an index; files on disk are not touched'
            cand remove 'Remove an index; files on disk are not touched'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;index;help;list'= {
        }
        &'rag;index;help;show'= {
        }
        &'rag;index;help;verify'= {
        }
        &'rag;index;help;save'= {
        }
        &'rag;index;help;load'= {
        }
        &'rag;index;help;push'= {
        }
        &'rag;index;help;pull'= {
        }
        &'rag;index;help;gc'= {
        }
        &'rag;index;help;rollback'= {
        }
        &'rag;index;help;compact'= {
        }
        &'rag;index;help;remove-folder'= {
        }
        &'rag;index;help;remove'= {
        }
        &'rag;index;help;help'= {
        }
        &'rag;documents'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List documents'
            cand show 'Show a document and its passages'
            cand remove 'Remove documents from the index permanently; files on disk are not touched'
            cand restore 'Let the next ingest add removed documents again'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;documents;list'= {
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --failed 'Show files that failed, with the reason'
            cand --skipped 'Show files without text, with the reason'
            cand --removed 'Show documents excluded by `rag documents remove`'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;documents;show'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;documents;remove'= {
            cand --wait 'Wait up to SECONDS for another writer'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;documents;restore'= {
            cand --wait 'Wait up to SECONDS for another writer'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;documents;help'= {
            cand list 'List documents'
            cand show 'Show a document and its passages'
            cand remove 'Remove documents from the index permanently; files on disk are not touched'
            cand restore 'Let the next ingest add removed documents again'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;documents;help;list'= {
        }
        &'rag;documents;help;show'= {
        }
        &'rag;documents;help;remove'= {
        }
        &'rag;documents;help;restore'= {
        }
        &'rag;documents;help;help'= {
        }
        &'rag;cache'= {
            cand --purge 'Alias of `rag cache purge`'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --stats 'Alias of `rag cache stats`'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand stats 'Show rows, size and hit rate of every table'
            cand purge 'Empty tables and free their disk space'
            cand clear 'Empty tables and free their disk space'
            cand warm 'Answer a file of questions in advance'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;cache;stats'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;cache;purge'= {
            cand --tag 'Only rows made from this index, document or folder of documents, as hits name it'
            cand --domain 'Only rows made from web pages of this host or of hosts below it'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;cache;clear'= {
            cand --tag 'Only rows made from this index, document or folder of documents, as hits name it'
            cand --domain 'Only rows made from web pages of this host or of hosts below it'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;cache;warm'= {
            cand -k 'Number of passages to consider [default: 10]'
            cand --mode 'Retrievers to use [default: hybrid]'
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --rerank 'Rerank the top N passages, with `rerank.model` [default: 20]'
            cand --intent 'Kind of answer [default: detected from the question]'
            cand --max-words 'Maximum length of the answer in words [default: 60]'
            cand --generator 'Quote the documents, or have a language model write [default: extractive]'
            cand --llm 'Language model to write with, one of the tables `llm.NAME` of the configuration'
            cand --fallback 'Generator to use when the language model fails [default: none]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --no-cache 'Do not read or write the cache'
            cand --refresh 'Recompute and replace cached results'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;cache;help'= {
            cand stats 'Show rows, size and hit rate of every table'
            cand purge 'Empty tables and free their disk space'
            cand warm 'Answer a file of questions in advance'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;cache;help;stats'= {
        }
        &'rag;cache;help;purge'= {
        }
        &'rag;cache;help;warm'= {
        }
        &'rag;cache;help;help'= {
        }
        &'rag;model'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder with an ONNX file'
            cand pull 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;model;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;verify'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;add'= {
            cand --name 'Name for the model [default: name of the folder]'
            cand --query-prompt 'Text to put before every question [default: as the model''s files say]'
            cand --passage-prompt 'Text to put before every passage [default: as the model''s files say]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;pull'= {
            cand --revision 'Branch, tag or commit'
            cand --name 'Name for the model [default: last part of REPOSITORY]'
            cand --query-prompt 'Text to put before every question [default: as the model''s files say]'
            cand --passage-prompt 'Text to put before every passage [default: as the model''s files say]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;model;help'= {
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder with an ONNX file'
            cand pull 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;model;help;list'= {
        }
        &'rag;model;help;verify'= {
        }
        &'rag;model;help;add'= {
        }
        &'rag;model;help;pull'= {
        }
        &'rag;model;help;help'= {
        }
        &'rag;serve'= {
            cand --host 'Address to listen on [default: 127.0.0.1]'
            cand -p 'Port to listen on, 0 for any free one [default: 8000]'
            cand --port 'Port to listen on, 0 for any free one [default: 8000]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;token'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand add 'Add a token and print it'
            cand list 'List tokens, oldest first'
            cand revoke 'Revoke a token'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;token;add'= {
            cand --scope 'What it may do: read (ask and search), write (also change documents) or admin'
            cand --indexes 'Indexes that it may use, separated by commas; it sees nothing of others [default: all]'
            cand --expires-in 'Days until it expires [default: never]'
            cand --rate 'Requests per minute [default: the setting `serve.rate_per_minute`]'
            cand --quota 'Requests per day [default: the setting `serve.quota_per_day`]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;token;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;token;revoke'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;token;help'= {
            cand add 'Add a token and print it'
            cand list 'List tokens, oldest first'
            cand revoke 'Revoke a token'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;token;help;add'= {
        }
        &'rag;token;help;list'= {
        }
        &'rag;token;help;revoke'= {
        }
        &'rag;token;help;help'= {
        }
        &'rag;eval'= {
            cand --dir 'Measure a temporary index of DIR (repeatable: one for each FILE)'
            cand --mode 'Modes to measure [default: all; none with `--run`]'
            cand --set 'Also measure with these settings changed (repeatable: one variant each)'
            cand --run 'Also score the TREC run in RUN (repeatable)'
            cand --save-run 'Write the ranking of the reference as a TREC run'
            cand --baseline 'Compare with an earlier measurement; exit with code 1 if a measure is significantly worse'
            cand --save-baseline 'Write the values of every question, for `--baseline`'
            cand --worst 'Show the N worst questions, with reasons'
            cand --html 'Write a report with plots as one HTML page'
            cand --generate 'Print N questions that the language model drafts from the index, and measure nothing'
            cand --generator 'Quote the documents, or have a language model write [default: extractive]'
            cand --filter 'Only documents that match, such as `type:markdown and not path:drafts/**`'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --force 'Replace the files that are written, if they exist'
            cand --judge 'Have the language model grade the answers'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand init 'Print questions that users asked, for `rag eval`'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;eval;init'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --drafts 'Also print the questions of conversations, and those recorded in words, with the documents that their answers cite'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;eval;help'= {
            cand init 'Print questions that users asked, for `rag eval`'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;eval;help;init'= {
        }
        &'rag;eval;help;help'= {
        }
        &'rag;mcp'= {
            cand --root 'Folder below which clients may ingest (repeatable) [default: setting `serve.roots`]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --allow-ingest 'Let clients ingest folders below --root'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;stats'= {
            cand --since 'Only records of the last TIME, such as 30m, 12h, 7d or 4w [default: all]'
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --purge 'Delete all records'
            cand -y 'Do not ask for confirmation'
            cand --yes 'Do not ask for confirmation'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;worker'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;migrate'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --import 'Copy from the files of the data directory to the database'
            cand --export 'Copy from the database to the files of the data directory'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;status'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;doctor'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;init'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --force 'Overwrite an existing rag.toml'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;config'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand list 'List settings, and where each is set'
            cand get 'Print a setting'
            cand set 'Set a setting in the user''s file'
            cand unset 'Remove a setting from the user''s file'
            cand edit 'Open the user''s file in an editor'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;config;list'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --changed 'Only settings that are not built in'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;config;get'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;config;set'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --project 'Set it in ./rag.toml, for this folder only'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;config;unset'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --project 'Remove it from ./rag.toml'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;config;edit'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --project 'Open ./rag.toml'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;config;help'= {
            cand list 'List settings, and where each is set'
            cand get 'Print a setting'
            cand set 'Set a setting in the user''s file'
            cand unset 'Remove a setting from the user''s file'
            cand edit 'Open the user''s file in an editor'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;config;help;list'= {
        }
        &'rag;config;help;get'= {
        }
        &'rag;config;help;set'= {
        }
        &'rag;config;help;unset'= {
        }
        &'rag;config;help;edit'= {
        }
        &'rag;config;help;help'= {
        }
        &'rag;completions'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'rag;man'= {
            cand --data-dir 'Folder for models, indexes and caches [default: data]'
            cand --index 'Index to use [default: default]'
            cand --color 'When to use colors'
            cand --json 'Print results as JSON'
            cand -q 'Print only results and errors'
            cand --quiet 'Print only results and errors'
            cand -v 'Print more detail'
            cand --verbose 'Print more detail'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'rag;help'= {
            cand ingest 'Index folders or update their index'
            cand jobs 'List, follow, cancel, retry and run jobs'
            cand search 'Rank the passages that match a question'
            cand ask 'Answer a question from the index, with citations'
            cand chat 'Ask questions interactively'
            cand open 'Open a source of the last answer or search'
            cand show 'Show a passage and what is around it'
            cand sessions 'List, show, export and remove conversations'
            cand index 'List, verify, move and remove indexes'
            cand documents 'List, show and remove the documents of an index'
            cand cache 'Show, empty and warm the cache'
            cand model 'List, verify, add and download embedding models'
            cand serve 'Serve a web page and an HTTP API'
            cand token 'Add, list and revoke access tokens of `rag serve`'
            cand eval 'Measure search and answers on questions with known answers'
            cand mcp 'Serve the indexes to agents over the Model Context Protocol'
            cand stats 'Show usage statistics'
            cand worker 'Run jobs until interrupted'
            cand migrate 'Bring the database schema up to date'
            cand status 'Show what is indexed, how fresh it is, and what could be better'
            cand doctor 'Check the data directory, library, model, index, cache and outside services'
            cand init 'Make a configuration file for this folder'
            cand config 'Show and change settings'
            cand completions 'Print a shell completion script'
            cand man 'Print a man page'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rag;help;ingest'= {
        }
        &'rag;help;jobs'= {
            cand list 'List jobs, oldest first'
            cand show 'Show a job'
            cand cancel 'Cancel a queued or running job'
            cand retry 'Queue a failed or cancelled job again'
            cand clean 'Delete records of finished jobs'
            cand run 'Run queued jobs until none is left'
        }
        &'rag;help;jobs;list'= {
        }
        &'rag;help;jobs;show'= {
        }
        &'rag;help;jobs;cancel'= {
        }
        &'rag;help;jobs;retry'= {
        }
        &'rag;help;jobs;clean'= {
        }
        &'rag;help;jobs;run'= {
        }
        &'rag;help;search'= {
        }
        &'rag;help;ask'= {
        }
        &'rag;help;chat'= {
        }
        &'rag;help;open'= {
        }
        &'rag;help;show'= {
        }
        &'rag;help;sessions'= {
            cand list 'List conversations, last used first'
            cand show 'Print a conversation'
            cand export 'Export a conversation as JSON lines'
            cand remove 'Remove conversations'
        }
        &'rag;help;sessions;list'= {
        }
        &'rag;help;sessions;show'= {
        }
        &'rag;help;sessions;export'= {
        }
        &'rag;help;sessions;remove'= {
        }
        &'rag;help;index'= {
            cand list 'List the indexes in the data directory'
            cand show 'Show the contents and settings of an index'
            cand verify 'Check every byte of an index and report damage'
            cand save 'Save an index to a single file'
            cand load 'Load an index from a file, checking every byte first'
            cand push 'Copy an index to a bucket or a shared folder'
            cand pull 'Copy an index from a bucket or a shared folder, checking every byte'
            cand gc 'Delete files from the bucket that no index needs any more'
            cand rollback 'Roll back to the previous generation (repeat to undo)'
            cand compact 'Rewrite an index without the remains of removed documents'
            cand remove-folder 'Remove a folder from an index; files on disk are not touched'
            cand remove 'Remove an index; files on disk are not touched'
        }
        &'rag;help;index;list'= {
        }
        &'rag;help;index;show'= {
        }
        &'rag;help;index;verify'= {
        }
        &'rag;help;index;save'= {
        }
        &'rag;help;index;load'= {
        }
        &'rag;help;index;push'= {
        }
        &'rag;help;index;pull'= {
        }
        &'rag;help;index;gc'= {
        }
        &'rag;help;index;rollback'= {
        }
        &'rag;help;index;compact'= {
        }
        &'rag;help;index;remove-folder'= {
        }
        &'rag;help;index;remove'= {
        }
        &'rag;help;documents'= {
            cand list 'List documents'
            cand show 'Show a document and its passages'
            cand remove 'Remove documents from the index permanently; files on disk are not touched'
            cand restore 'Let the next ingest add removed documents again'
        }
        &'rag;help;documents;list'= {
        }
        &'rag;help;documents;show'= {
        }
        &'rag;help;documents;remove'= {
        }
        &'rag;help;documents;restore'= {
        }
        &'rag;help;cache'= {
            cand stats 'Show rows, size and hit rate of every table'
            cand purge 'Empty tables and free their disk space'
            cand warm 'Answer a file of questions in advance'
        }
        &'rag;help;cache;stats'= {
        }
        &'rag;help;cache;purge'= {
        }
        &'rag;help;cache;warm'= {
        }
        &'rag;help;model'= {
            cand list 'List the models on this machine'
            cand verify 'Check every byte of the models and the ONNX Runtime library'
            cand add 'Add a sentence-transformers folder with an ONNX file'
            cand pull 'Download a model from the Hugging Face Hub or HF_ENDPOINT'
        }
        &'rag;help;model;list'= {
        }
        &'rag;help;model;verify'= {
        }
        &'rag;help;model;add'= {
        }
        &'rag;help;model;pull'= {
        }
        &'rag;help;serve'= {
        }
        &'rag;help;token'= {
            cand add 'Add a token and print it'
            cand list 'List tokens, oldest first'
            cand revoke 'Revoke a token'
        }
        &'rag;help;token;add'= {
        }
        &'rag;help;token;list'= {
        }
        &'rag;help;token;revoke'= {
        }
        &'rag;help;eval'= {
            cand init 'Print questions that users asked, for `rag eval`'
        }
        &'rag;help;eval;init'= {
        }
        &'rag;help;mcp'= {
        }
        &'rag;help;stats'= {
        }
        &'rag;help;worker'= {
        }
        &'rag;help;migrate'= {
        }
        &'rag;help;status'= {
        }
        &'rag;help;doctor'= {
        }
        &'rag;help;init'= {
        }
        &'rag;help;config'= {
            cand list 'List settings, and where each is set'
            cand get 'Print a setting'
            cand set 'Set a setting in the user''s file'
            cand unset 'Remove a setting from the user''s file'
            cand edit 'Open the user''s file in an editor'
        }
        &'rag;help;config;list'= {
        }
        &'rag;help;config;get'= {
        }
        &'rag;help;config;set'= {
        }
        &'rag;help;config;unset'= {
        }
        &'rag;help;config;edit'= {
        }
        &'rag;help;completions'= {
        }
        &'rag;help;man'= {
        }
        &'rag;help;help'= {
        }
    ]
    $completions[$command]
}

"""What other tools call what is called otherwise here: for "did you mean" where no spelling is near. Words only."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from typing import Final

_TABLE: Final = """
steps:              tasks jobs stages nodes pipeline plays workflow operations
params:             parameters args arguments vars variables query query_params querystring query_string qs url_params inputs
env:                environment environ env_vars envs variables
secrets:            credentials
finally:            cleanup always teardown ensure after_script post on_exit
notify:             notifications webhook webhooks callback callbacks on_complete on_success
defaults:           default globals settings config
name:               id title step_name task_id label
description:        doc docs comment about summary
version:            schema_version api_version
task:               uses action module operator kind run_task job
inputs:             with args arguments parameters input kwargs config spec
for_each:           foreach with_items loop matrix each_item iterate map over withitems items with_sequence
when:               if condition only_if run_if unless skip_if
depends_on:         needs requires after upstream dependencies depends dependson wait_for
on_error:           on_failure on_fail rescue catch error_handler ignore_errors continue_on_error allow_failure
outputs:            output register save_as returns result result_path publish export
timeout:            timeout_seconds time_limit max_time timeout_minutes timeout_ms deadline_seconds max_runtime kill_after
retry:              retries max_retries attempts tries retry_policy retry_strategy retry_count max_attempts
parallel:           concurrent async
items:              source data input iterable over list elements rows records dataset files inputs
key:                id unique_by primary_key id_field unique_key item_key dedupe_by
each:               mode unit as_batch
batch_size:         chunk chunks chunksize page_size per_batch group_size batch items_per_batch n_per_batch
max_parallel:       parallelism concurrency workers jobs n_jobs threads processes max_concurrency pool_size num_workers
max_parallel:       max_threads max_jobs parallel_jobs forks maxforks max_active max_in_flight slots throttle_limit
rate_limit:         rate rps qps requests_per_second throttle max_rate limit_per_second requests_per_minute
continue_on_error:  ignore_errors continue_on_failure allow_failure allow_failures keep_going fail_fast tolerate_failures
max_failures:       max_errors failure_threshold error_threshold max_failed tolerated_failure_percentage skip_limit halt
on_item_error:      on_error on_failure on_fail rescue catch error_handler on_item_failure dead_letter
on_duplicate:       duplicates on_duplicates dedupe deduplicate unique
max_attempts:       attempts tries retries max_retries max_tries times count retry_count limit stop_after_attempt
delay:              wait interval retry_delay sleep initial_delay interval_seconds delay_seconds pause backoff_seconds min_delay
backoff:            multiplier factor exponential backoff_factor backoff_rate exponential_base backoff_multiplier
max_delay:          max_wait max_backoff max_interval max_interval_seconds cap
on:                 retry_on when errors exceptions error_equals status_codes statuses retryable_errors
command:            cmd run script bash sh exec shell_command commands line
argv:               args arguments list command_args
working_dir:        cwd workdir chdir working_directory dir directory
stdin:              input pipe
capture_limit:      max_output output_limit
shell:              executable interpreter
code:               script source_code python_script python_callable source inline body
function:           callable entrypoint entry_point func python_callable module method handler
interpreter:        python python_path executable venv python_executable
setup:              init initialize before on_start imports
message:            text msg print content body
url:                uri endpoint href address link
method:             verb http_method request_method
headers:            header http_headers request_headers
json:               body payload json_body request_body body_json content
data:               body payload raw_body content request_data body_raw form form_data
multipart:          files file_upload upload form_data multipart_form attachments
auth:               authentication basic_auth bearer bearer_token token credentials username password user http_auth
expect_status:      status status_code status_codes expected_status valid_status ok_codes success_codes response_check
follow_redirects:   allow_redirects redirect redirects max_redirects followredirects maxredirs location
verify:             verify_ssl ssl_verify validate_certs tls_verify insecure ssl verify_tls check_certificate verify_certs
max_body:           max_size max_response_size max_bytes size_limit
idempotent:         idempotency idempotency_key safe_to_retry
save_to:            output output_file dest destination download_to save_as file target output_path filename save download
deny_private:       block_private allow_private no_private ssrf_protection
from:               type source kind
file:               path source
path:               file filename file_path paths files file_name location
separator:          sep delimiter null_delimited nul
delimiter:          sep separator
encoding:           charset
stop:               end to until
start:              begin first offset from
step:               increment by
count:              n number size length limit
format:             output_format parse as kind
"""


@cache
def _foreign() -> dict[str, list[str]]:
    """Our words for each of theirs, in the order of the table."""
    found: dict[str, list[str]] = {}
    for line in _TABLE.strip().splitlines():
        ours, _, theirs = line.partition(":")
        for word in theirs.split():
            found.setdefault(word, []).append(ours)
    return found


def our_word(word: str, known: Collection[str]) -> str | None:
    """Of the known words the one for what others call `word`; None where there is none."""
    plain = word.casefold().replace("-", "_")
    return next((ours for ours in _foreign().get(plain, ()) if ours in known and ours != word), None)

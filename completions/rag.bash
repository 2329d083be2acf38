# Completion of `rag` in bash: the program itself knows what may follow.

_rag() {
    local line=${COMP_LINE:0:COMP_POINT} words=() word='' i
    # bash cuts words at `=` and `:`; `rag` does not.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        local piece=${COMP_WORDS[i]}
        if [[ $i -gt 1 && ($piece == [=:] || $word == *[=:]) && $line == *"$word$piece"* ]]; then
            word+=$piece
        else
            [[ $i -gt 1 ]] && words+=("$word")
            word=$piece
        fi
    done
    words+=("$word")
    # What bash replaces begins after the last cut.
    local cut=''
    [[ $word == *[=:]* && $COMP_WORDBREAKS == *[=:]* ]] && cut=${word%"${word##*[=:]}"}
    COMPREPLY=()
    local value IFS=$'\n'
    while IFS=$'\t' read -r value _; do
        case $value in
            :files) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "${word#"$cut"}") ;;
            :dirs) mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "${word#"$cut"}") ;;
            ?*) COMPREPLY+=("$(printf %q "${value#"$cut"}")") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
    if [[ ${#COMPREPLY[@]} -eq 1 ]]; then
        [[ -d ${COMPREPLY[0]} ]] && COMPREPLY[0]+=/
        [[ ${COMPREPLY[0]} == *[/=:] ]] && compopt -o nospace 2>/dev/null
    fi
    return 0
}

complete -F _rag rag

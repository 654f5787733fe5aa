# Completion of usermgmt for bash 4 or later: each TAB asks the program itself.
# Install: usermgmt completion bash > ~/.local/share/bash-completion/completions/usermgmt
# (for all accounts: /etc/bash_completion.d/usermgmt), or: source <(usermgmt completion bash)

_usermgmt() {
    local line program=${1/#\~\//"$HOME"/}
    COMPREPLY=()
    type -P -- "$program" >/dev/null || program=usermgmt
    while IFS= read -r line; do
        case $line in
            :files) compopt -o default ;;
            :nospace) compopt -o nospace ;;
            *) COMPREPLY+=("$line") ;;
        esac
    done < <(_USERMGMT_COMPLETE=bash COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \
        "$program" 2>/dev/null)
}

complete -F _usermgmt usermgmt

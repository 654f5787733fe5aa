# Completion of usermgmt for fish 3 or later: each TAB asks the program itself.
# Install: usermgmt completion fish > ~/.config/fish/completions/usermgmt.fish
# (for all accounts: /etc/fish/completions/usermgmt.fish), or: usermgmt completion fish | source

function __usermgmt_complete
    set -l words (commandline -opc)
    # an open quote is no part of the word
    set -l current (string replace -r '^["\']' '' -- (commandline -ct))
    set -l program (string replace -r '^~/' "$HOME/" -- $words[1])
    type -q -- $program; or set program usermgmt
    set -l joined
    for line in (_USERMGMT_COMPLETE=fish $program $words[2..] "$current" 2>/dev/null)
        switch $line
            case :files
                # in --option=FILE what is before the file's name stays
                set -l option (string match -r -- '^-[^=]*=' $current)
                string replace -r -- '^' "$option" (__fish_complete_path (string replace -- "$option" '' $current))
            case :nospace
                set joined yes
            case '*'
                echo $line
                # fish puts a space after the only completion; of two it takes what they share
                test -n "$joined"; and echo (string split -f 1 \t -- $line),
        end
    end
end

complete -c usermgmt -f -k -a '(__usermgmt_complete)'

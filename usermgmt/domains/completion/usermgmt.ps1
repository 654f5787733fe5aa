# Completion of usermgmt for PowerShell 7: each TAB asks the program itself.
# Install: usermgmt completion powershell > usermgmt.ps1, and in the file that $PROFILE names: . DIR/usermgmt.ps1

Register-ArgumentCompleter -Native -CommandName usermgmt -ScriptBlock {
    param($current, $line, $cursor)
    # an open quote is no part of the word
    $current = "$current".TrimStart('"', "'")
    $words = @($line.CommandElements | Select-Object -Skip 1 | Where-Object { $_.Extent.EndOffset -lt $cursor } |
        ForEach-Object { if ($_.Value -is [string]) { $_.Value } else { $_.Extent.Text } })
    $found = @()
    try {
        $env:_USERMGMT_COMPLETE = 'powershell'
        # a dot goes before the current word, since an empty argument may be dropped on the way
        $found = @(& "$($line.GetCommandName())" @words ".$current" 2>$null)
    } catch { } finally {
        Remove-Item Env:_USERMGMT_COMPLETE -ErrorAction Ignore
    }
    foreach ($answer in $found) {
        if ($answer -eq ':files') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($current)
        } elseif ($answer -ne ':nospace') {
            $word, $help = $answer -split "`t", 2
            [System.Management.Automation.CompletionResult]::new(
                $word, $word, 'ParameterValue', $(if ($help) { $help } else { $word }))
        }
    }
}

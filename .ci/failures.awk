# What failed in a log of the tests, of every kind that .ci/run has: from the
# line that says so on, as much as tells why.  Indented, and of what is indented
# no line says so: a log that ends with what was found here tells it once.
/^== |^=== |^spec\/[^:]*_spec\.lua$/ { where = $0; left = 0 }
/^(Failure|Error) -> |^FAILED|^[^ ].*(: FAILED|: does not hold: |: error: |ERROR: |runtime error: |exit status |out of time)|^exit status |^no test was run|^make: \*\*\* / {
  left = 16
  if (where != "") {
    print "  " where
    where = ""
  }
}
/^failed:$/ { left = 0 }
left > 0 { print "  " $0; left-- }

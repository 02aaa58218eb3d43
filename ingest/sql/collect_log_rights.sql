-- Whether this role may ask where the log is. To ask in the same statement fails: rights are looked at beforehand.
SELECT has_function_privilege('pg_current_logfile(text)', 'EXECUTE')
       AND has_function_privilege('pg_ls_logdir()', 'EXECUTE')

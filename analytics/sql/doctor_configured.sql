-- What the lists of libraries will be after a restart, as the configuration files have them now.
SELECT DISTINCT ON (name) name, setting AS value
FROM pg_show_all_file_settings() AS f (sourcefile, sourceline, seqno, name, setting, applied, error)
WHERE name IN ('shared_preload_libraries', 'session_preload_libraries')
ORDER BY name, seqno DESC

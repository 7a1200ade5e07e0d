; The cutouts of many photos, each a PNG with transparency and the photo's own name.
;
;     gimp-console -i --quit --batch-interpreter=plug-in-script-fu-eval -b \
;         '(begin (load "cutouts.scm") (cutaway-cutouts "photos/*.jpg" "cutouts"))'
;
; The folder of the results must be there already. A result that is there already is kept. A photo
; that fails is told of, and the others go on.

(script-fu-use-v3)

(define (cutaway-cutouts photos folder)
  (for-each
    (lambda (photo)
      (let ((result (cutaway-result-path photo folder)))
        (if (not (or (file-exists? result) (catch #f (cutaway-cut-out photo result))))
            (gimp-message (string-append "Not cut out: " photo)))))
    (file-glob #:pattern photos)))

; Whether it was done; GIMP itself tells what went wrong.
(define (cutaway-cut-out photo result)
  (let* ((image (gimp-file-load RUN-NONINTERACTIVE photo))
         (layers (gimp-image-get-layers image))
         (done
           (catch #f
             (plug-in-cutaway-remove-background #:image image #:drawables layers)
             (file-png-export #:image image #:file result)
             #t)))
    (gimp-image-delete image)
    done))

; "photos/tea.jpg" and "cutouts" make "cutouts/tea.png".
(define (cutaway-result-path photo folder)
  (let* ((name (car (reverse (strbreakup photo "/"))))
         (stem (reverse (cdr (reverse (strbreakup name "."))))))
    (string-append folder "/" (unbreakupstr stem ".") ".png")))
